"""Pas de deux: four papers on generating music and dance, rebuilt to be run, read and checked.

The dimension key, used in every shape annotation of the project:

| letter | meaning                                        |
|--------|------------------------------------------------|
| B      | batch                                          |
| T      | time positions (frames or tokens)              |
| S      | positions of a memory or condition             |
| J      | joints                                         |
| D      | width                                          |
| H      | heads                                          |
| K      | codes or classes                               |
| V      | vocabulary                                     |
| N, M   | points of the two measures, or items of a set  |
| C      | channels or bins                               |
"""

__version__ = "0.1.0"
