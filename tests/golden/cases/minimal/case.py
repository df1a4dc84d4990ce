"""The least a project can be."""

from nixgen import Machine, Project

project = Project("minimal", machines=[Machine("bare")])
