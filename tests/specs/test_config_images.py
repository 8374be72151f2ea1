"""The part of the configuration about images."""

import pytest

from reconciler.model.image import JobTool, RegistryHost
from reconciler.model.imaging import BuilderKind, ImagesConfig, SignatureRule, Tags, WriteBack
from reconciler.specs.config import ConfigRefused, load_config

SOURCES = "sources: [{name: shop, url: /srv/shop}]\n"


def load(images: str) -> ImagesConfig:
    return load_config(f"{SOURCES}images: {images}\n", "c.yaml").images


def test_what_is_not_stated_has_a_default() -> None:
    assert load_config(SOURCES, "c.yaml").images == load("{}") == ImagesConfig()
    assert load("{}").tags is Tags.PIN
    assert load("{}").build.builder is BuilderKind.BUILDAH
    assert load("{}").write_back.mode is WriteBack.OFF


def test_everything_stated() -> None:
    found = load(
        "{tags: asStated, interval: 10m,"
        " registries: {configFile: /c, helpers: [ecr-login], hosts: [{host: 'r:5000', plainHttp: true}]},"
        " build: {builder: job, timeout: 1h, job: {fetchImage: r/us, tool: buildah, keep: 2h}},"
        " writeBack: {mode: review, branch: digests, name: Rob, email: rob@example.com, signingKeyFile: /k},"
        " signatures: [{prefix: r/, keyFiles: [/p]}]}"
    )
    assert (found.tags, found.interval) == (Tags.AS_STATED, 600.0)
    assert found.registries.hosts == (RegistryHost("r:5000", plain_http=True),)
    assert found.build.timeout == 3600.0
    assert found.build.job is not None
    assert (found.build.job.tool, found.build.job.keep) == (JobTool.BUILDAH, 7200.0)
    assert (found.write_back.mode, found.write_back.branch) == (WriteBack.REVIEW, "digests")
    assert found.signatures == (SignatureRule("r/", ("/p",)),)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("{interval: 2s}", "images.interval: 2s is not between 10 s and a day"),
        ("{interval: 2}", "images.interval: 2 is less than 10"),
        ("{build: {timeout: 2d}}", "images.build.timeout: 2d is not between 1 s and a day"),
        ("{build: {builder: job}}", 'images.build: the required field "job" is missing'),
        ("{build: {builder: kaniko}}", '"kaniko" is not one of buildah, job, none'),
        ("{writeBack: {mode: push}}", '"push" is not one of commit, review, off'),
        ("{writeBack: {email: 'a@b> 0'}}", "is not an address"),
        ("{registries: {helpers: ['../x']}}", "is not the name of a credential helper"),
        ("{registries: {hosts: [{host: r}, {host: r}]}}", '"r" stands in images.registries.hosts[0] already'),
        ("{signatures: [{prefix: r}, {prefix: r}]}", '"r" stands in images.signatures[0] already'),
        ("{signatures: [{prefix: r, keys: []}]}", 'unknown field "keys"'),
    ],
)
def test_refusals(images: str, message: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        load(images)
    assert message in str(refused.value)
