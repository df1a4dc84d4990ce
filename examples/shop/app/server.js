// Answers like Knative's helloworld-nodejs sample: GET / greets $TARGET, GET /healthz is 200.
"use strict";
const http = require("node:http");
const net = require("node:net");

const port = Number(process.env.PORT || 8080);
const target = process.env.TARGET || "World";
const [redisHost, redisPort] = (process.env.REDIS || "").split(":");

// One round trip to redis in its own protocol: count the visit, answer the number.
function visits(done) {
  if (!redisHost) return done(null);
  const socket = net.connect(Number(redisPort || 6379), redisHost, () => socket.write("INCR visits\r\n"));
  socket.setTimeout(2000, () => socket.destroy());
  socket.once("data", (reply) => {
    socket.end();
    done(Number(reply.toString().slice(1)));
  });
  socket.once("error", () => done(null));
}

http
  .createServer((request, response) => {
    if (request.url === "/healthz") return response.end("ok\n");
    if (request.url === "/visits") {
      return visits((count) => {
        response.statusCode = count === null ? 503 : 200;
        response.end(count === null ? "redis is not reachable\n" : `${count} visits\n`);
      });
    }
    response.end(`Hello ${target}!\n`);
  })
  .listen(port, () => console.log(`listening on ${port}`));
