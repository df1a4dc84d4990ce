/**
  What differs between processors.

  debian: Debian's name.  triplet: the multiarch folder of libraries.  loader: file name of the dynamic loader.
  oci: the name in image configurations (GOARCH).
*/
{
  x86_64-linux = {
    debian = "amd64";
    triplet = "x86_64-linux-gnu";
    loader = "ld-linux-x86-64.so.2";
    oci = "amd64";
  };
  aarch64-linux = {
    debian = "arm64";
    triplet = "aarch64-linux-gnu";
    loader = "ld-linux-aarch64.so.1";
    oci = "arm64";
  };
}
