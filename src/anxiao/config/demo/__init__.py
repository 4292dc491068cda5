"""The demo province: Anhui with its real universities and invented people, made anew on any machine from a seed."""

from anxiao.config.demo.create import DemoSummary, create_demo

__all__ = ["DemoSummary", "create_demo"]
