"""What a look at 500 followed tags costs on an unchanged registry: Debian's docker-registry on loopback.

    python benchmarks/images.py [--looks 5]

25 repositories with 20 tags each; half of the Images follow an exact tag, half a range, so each repository's tags are
listed. The last line is JSON: {"median_s", "worst_s", "heads", "listings", "others"}, the requests of one look.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from registry_server import RegistryServer
from small_images import manifest_of, push_image

from reconciler.clock import SystemClock
from reconciler.images.push import Pusher
from reconciler.images.reference import Repository
from reconciler.images.registry import MANIFEST, Registry
from reconciler.images.resolve import Resolver
from reconciler.images.session import Session
from reconciler.kube.names import Identity
from reconciler.model.image import Follow, Registries, Wanted

REPOSITORIES = 25
TAGS = 20


async def measure(server: RegistryServer, looks: int) -> dict[str, float]:
    session = Session(Registries(), SystemClock(), Random(1))
    pusher = Pusher(session)
    wanted = []
    for number in range(REPOSITORIES):
        name = server.name(f"bench/{number}")
        repository = Repository.parse(name)
        await push_image(pusher, repository, "1.0.0", b"layer")
        for tag in range(TAGS):
            await pusher.manifest(repository.at(tag=f"1.{tag}.0"), manifest_of(b"layer"), MANIFEST)
            follow = Follow(tag=f"1.{tag}.0") if tag % 2 else Follow(semver=f"~1.{tag}")
            wanted.append(Wanted(Identity("reconciler.dev", "Image", "bench", f"{number}-{tag}"), name, follow))
    resolver = Resolver(Registry(session))
    first = await resolver.resolve(wanted)
    times = []
    for look in range(looks):
        before = len(server.requests())
        begun = time.perf_counter()
        if await resolver.resolve(wanted) != first:
            raise SystemExit("the registry changed")
        times.append(time.perf_counter() - begun)
        print(f"look {look + 1}: {times[-1]:.2f} s")
        asked = Counter(request.split()[0] for request in server.requests()[before:])
    await session.close()
    others = asked.total() - asked["HEAD"] - asked["GET"]
    spent = {"median_s": round(statistics.median(times), 3), "worst_s": round(max(times), 3)}
    return {**spent, "heads": asked["HEAD"], "listings": asked["GET"], "others": others}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--looks", type=int, default=5)
    stated = parser.parse_args()
    with TemporaryDirectory() as folder, RegistryServer(Path(folder)) as server:
        print(json.dumps(asyncio.run(measure(server, stated.looks))))


if __name__ == "__main__":
    main()
