"""The images and flavors that Tempest's instances use; created for the run, and removed by name."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from stackcook.errors import VerifyError
from stackcook.verify.instance.resources import IMAGE, PREFIX, flavor_size
from stackcook.verify.openstack import Cloud
from stackcook.verify.tempest.settings import Resources

_COPY = 100 * 2**20
"""Bytes of an image up to which it is copied, so that tests have two."""

_MORE = 64
"""MiB by which the second flavor is larger: tests resize from one to the other."""


def create(cloud: Cloud) -> Resources:
    """Two flavors, and two images if the first is small; raises VerifyError."""
    images = cloud.read("image", "/v2/images?status=active&limit=1000")["images"]
    image = chosen_image(images)
    name = f"{PREFIX}{secrets.token_hex(3)}"
    size = flavor_size(image)
    flavors = []
    for number, memory in enumerate((size["ram"], size["ram"] + _MORE), 1):
        flavor = {"name": f"{name}-{number}", **size, "ram": memory}
        flavors.append(str(cloud.post("compute", "/flavors", {"flavor": flavor})["flavor"]["id"]))
    other = _copy(cloud, image, name) if int(image.get("size") or 0) <= _COPY else image["id"]
    return Resources(
        image=str(image["id"]),
        image_alt=str(other),
        flavor=flavors[0],
        flavor_alt=flavors[1],
        user=login(image),
        config_drive=image["name"] != IMAGE,  # the test image has no file systems
    )


def chosen_image(images: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The test image, or the smallest that instances can boot from; raises VerifyError."""
    usable = [
        image
        for image in images
        if image.get("container_format") == "bare" and image.get("visibility") == "public"
    ]
    usable.sort(key=lambda image: (image["name"] != IMAGE, image.get("size") or 0, image["id"]))
    if not usable:
        raise VerifyError(
            "Tempest needs a public image, and the cloud has none",
            remedy=f"declare the image `{IMAGE}` in the attribute openstack.resources.images",
        )
    return usable[0]


def login(image: Mapping[str, Any]) -> str:
    """Who may log in to an image's instances: its property ``os_admin_user``; ``""`` if unknown."""
    return str(image.get("os_admin_user") or ("root" if image["name"] == IMAGE else ""))


_TAKEN = ("disk_format", "container_format", "min_ram", "min_disk", "visibility", "os_admin_user")


def _copy(cloud: Cloud, image: Mapping[str, Any], name: str) -> str:
    """A copy of an image; its ID."""
    properties = {k: v for k, v in image.items() if k in _TAKEN or k.startswith(("hw_", "os_type"))}
    made = str(cloud.post("image", "/v2/images", {**properties, "name": name})["id"])
    data = cloud.download("image", f"/v2/images/{image['id']}/file")
    answer = cloud.upload("image", f"/v2/images/{made}/file", data)
    if answer >= 300:
        raise VerifyError(f"Glance returned {answer} for a copy of image {image['name']}")
    return made
