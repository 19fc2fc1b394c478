from setuptools import find_packages, setup

setup(name="espnet2_valle", version="0.1.0", packages=find_packages(include=["espnet2_valle*"]))
