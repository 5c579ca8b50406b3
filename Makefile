# The two main targets: `make deploy` deploys the cloud, `make test` runs all tests.
python = .venv/bin/python3
pytest = $(python) -m pytest
live = --log-cli-level INFO --log-cli-format '%(asctime)s %(message)s' --log-cli-date-format %T
to_build_docs = python3-sphinx python3-myst-parser furo
to_build_deb = debhelper dh-python pybuild-plugin-pyproject

.PHONY: help deploy test check setup dist deb release debian-package readme lab-test acceptance bench bench-converge scale chaos side-by-side allinone restarts probe cookbooks swift volumes firewall faults stacks horizon tempest preflight hosts partial remove-node offline same-manifest snapshots ephemeral zones ha host-network kitchen tls check-format check-lint check-types check-unit

help:
	@echo 'make deploy    install the tools and deploy the cloud of infrastructure.yml'
	@echo 'make test      install the tools and run the test suite, including the lab deploy'
	@echo 'make check     check formatting, lint and types, and run the unit tests; run `make setup` first'
	@echo 'make setup     install the tools only'
	@echo 'make dist      build the wheel and the source distribution in dist/'
	@echo 'make deb       build the Debian package in dist/'
	@echo 'make release VERSION=1.2.0  make a release in dist/, commit and tag it; see docs/releasing.md'
	@echo 'make docs      write the generated pages of the documentation'
	@echo 'make docs-html  build the website of the documentation in build/docs'
	@echo 'make picture   draw the picture of a deploy again, docs/deploy.svg'
	@echo 'make lab-test  run only the tests that create machines'
	@echo 'make acceptance  everything that takes too long for make test: the commands below, one after the other'
	@echo 'make scale     measure a deploy of 100 nodes (or NODES=N); writes build/scale.log'
	@echo "make chaos     test deploys of 5 nodes (or NODES=N) that are killed, frozen or out of disk; ARGS='-k disk' selects tests"
	@echo 'make side-by-side  deploy two labs at once, five times, while network interfaces come and go'
	@echo 'make bench-converge  compare the first converge of a controller with only installing its packages'
	@echo 'make allinone  deploy a cloud on one node'
	@echo 'make restarts  change an option in a cloud, and count restarts; LAB=DIR takes a deployed one'
	@echo 'make probe     probe all APIs while a service is stopped; LAB=DIR takes a deployed cloud'
	@echo 'make swift     store objects in Swift while a storage node is stopped; LAB=DIR takes a deployed cloud'
	@echo 'make volumes   carry a volume from instance to instance, back it up, restore it; LAB=DIR takes a deployed cloud'
	@echo 'make firewall  try all ports of all nodes from this machine; LAB=DIR takes a deployed cloud'
	@echo 'make stacks    create an instance, a volume and a floating IP with Heat; LAB=DIR takes a deployed cloud'
	@echo 'make faults    break a cloud in many ways, and check that verify finds each; LAB=DIR takes a deployed one'
	@echo 'make horizon   use Horizon in a browser; LAB=DIR takes a deployed cloud'
	@echo "make tempest   run Tempest's smoke tests in a cloud; LAB=DIR takes a deployed one"
	@echo 'make preflight  break 15 hosts in 15 ways; one preflight must name all of them'
	@echo 'make hosts     deploy to five hosts that are reached in five ways, remove one, give all back'
	@echo 'make partial   deploy parts of a cloud, and check that the rest stays as it was; LAB=DIR takes a deployed one'
	@echo 'make remove-node  remove a compute node and add it again while an instance runs on another one; LAB=DIR takes a deployed cloud'
	@echo 'make offline   deploy from a bundle, in a network namespace without the internet'
	@echo 'make same-manifest  deploy one manifest to Vagrant machines, then to hosts'
	@echo 'make tls       change a running cloud to HTTPS, renew its certificate, and change it back; LAB=DIR takes a deployed cloud of one node'
	@echo 'make snapshots  measure how fast a cloud comes back from a snapshot, and kill saves and restores at ten moments'
	@echo 'make zones      deploy two zones, and kill one'"'"'s controller in the middle of it and later'
	@echo 'make ha        deploy three controllers with TLS everywhere; kill each, kill all, cut one off, replace one; LAB=DIR takes a deployed cloud'
	@echo 'make ephemeral  deploy two clouds from one snapshot at once, and test one while the other is destroyed'
	@echo 'make host-network  give hosts bridges, bonds and VLANs, cut them off, and see them come back; on containers and QEMU guests'
	@echo 'make debian-package  install the Debian package in clean Debian 12 and 13 systems, use it there, and deploy from it'
	@echo 'make readme    follow the README on a fresh Debian 12, as root and as a user with sudo; CACHE=~/.cache/stackcook saves ten minutes'
	@echo 'make kitchen   test a cookbook on two nodes with Test Kitchen, as docs/kitchen.md says'
	@echo 'make cookbooks  converge the example of each cookbook with `chef-client -z`, and check what it leaves'
	@echo 'make bench     compare upload with knife and spiceweasel: time, memory, growth; takes about ten minutes'

deploy: setup
	@.venv/bin/stackcook deploy

test: setup check-format check-lint check-types
	@setup/packages openssh-server $(to_build_docs)
	@$(pytest) -n logical --dist loadgroup tests/lab tests/cookbooks tests/contract tests/unit

lab-test: setup
	@$(pytest) tests/lab

acceptance:
	@for part in bench scale chaos side-by-side bench-converge allinone restarts probe cookbooks swift volumes firewall stacks faults horizon tempest preflight hosts partial remove-node offline same-manifest snapshots ephemeral zones ha tls host-network debian-package kitchen readme; do $(MAKE) --no-print-directory $$part || exit 1; done

# ARGS='--json', or --rounds 1 --cookbooks 4 --growth 8 for a quick trial
bench: setup
	@$(python) -m benchmarks.upload $(ARGS)

scale: setup
	@$(python) -m benchmarks.scale --nodes $(or $(NODES),100) --log build/scale.log

chaos: setup
	@$(pytest) tests/scale/test_chaos.py --nodes $(or $(NODES),5) $(live) $(ARGS)

side-by-side: setup
	@$(pytest) tests/scale/test_side_by_side.py --nodes 1 $(live)

bench-converge: setup
	@$(python) -m benchmarks.converge

allinone restarts probe cookbooks swift volumes firewall faults tempest preflight hosts partial remove-node offline same-manifest snapshots ephemeral zones kitchen readme tls: setup
	@$(pytest) tests/acceptance/test_$(subst -,_,$@).py $(live)

ha: setup
	@setup/packages tshark
	@$(pytest) tests/acceptance/test_ha.py $(live)

stacks: setup
	@setup/packages python3-heatclient
	@$(pytest) tests/acceptance/test_stacks.py $(live)

host-network: setup
	@setup/packages qemu-system-x86 seabios
	@$(pytest) tests/acceptance/test_host_network.py $(live)

debian-package: setup
	@setup/packages $(to_build_deb)
	@$(pytest) tests/acceptance/test_debian_package.py $(live)

horizon: setup
	@setup/packages chromium chromium-driver python3-selenium
	@$(pytest) tests/acceptance/test_horizon.py $(live)

setup:
	@setup/packages
	@setup/python
	@.venv/bin/stackcook setup --yes

dist:
	@setup/packages
	@setup/python
	@setup/dist

deb:
	@setup/packages $(to_build_deb)
	@setup/python
	@setup/deb

release: check
	@setup/packages $(to_build_deb)
	@setup/release '$(VERSION)'

.PHONY: docs docs-html picture
docs:
	@$(python) setup/attribute-pages
	@$(python) setup/reference-pages
	@$(python) setup/messages
	@.venv/bin/stackcook schema --output >docs/output.schema.json

docs-html:
	@setup/packages $(to_build_docs)
	@setup/docs-html

picture:
	@$(python) setup/picture

check:
	@test -x $(python) || { echo 'make check: run `make setup` first' >&2; exit 2; }
	@$(MAKE) --no-print-directory -k -j2 --output-sync check-format check-lint check-types check-unit

check-format:
	@$(python) -m black --check --quiet stackcook tests || \
	    { $(python) -m black --check stackcook tests; exit 1; }

check-lint:
	@$(python) -m flake8 stackcook tests

check-types:
	@$(python) -m mypy

check-unit:
	@$(pytest) -q -n auto tests/unit
