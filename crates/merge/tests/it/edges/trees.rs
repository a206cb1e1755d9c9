//! What is in the trees.

use crate::baseline::{Case, as_git, case};

/// A submodule at a commit that nobody has, as `git add` would record it.
const MODULE: &str = "mkdir -p s; git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,s; git commit -qm s";

const TREES: &[Case] = &[
    case(
        39,
        "one name in two spellings of Unicode",
        "seq 5 >o",
        r"echo a >$(printf 'caf\303\251')",
        r"echo b >$(printf 'cafe\314\201')",
    ),
    case(
        42,
        "a submodule moved on both sides",
        MODULE,
        "git update-index --cacheinfo 160000,2222222222222222222222222222222222222222,s; git commit -qm s",
        "git update-index --cacheinfo 160000,3333333333333333333333333333333333333333,s; git commit -qm s",
    ),
    case(
        43,
        "a submodule moved on one side",
        MODULE,
        "git update-index --cacheinfo 160000,2222222222222222222222222222222222222222,s; git commit -qm s",
        "echo o >o",
    ),
    case(44, "a submodule here, a file there", "seq 5 >o", MODULE, "echo s >s"),
    case(
        57,
        "two entries inserted at one place of a lock file",
        "printf '[[package]]\\nname = \"a\"\\n\\n[[package]]\\nname = \"z\"\\n' >Cargo.lock",
        "sed -i '3a [[package]]\\nname = \"m\"\\n' Cargo.lock",
        "sed -i '3a [[package]]\\nname = \"n\"\\n' Cargo.lock",
    ),
    case(
        63,
        "a function renamed here, a call of its old name there",
        "echo 'fn old() {}' >lib; seq 5 >o",
        "echo 'fn new() {}' >lib",
        "echo 'old()' >caller",
    ),
    // Where what a rename moved meets what was there, in every order.
    case(
        205,
        "two directories renamed into one, a file of one name added to both",
        "mkdir a b; seq 20 >a/f; seq 40 60 >b/g",
        "mkdir c; git mv a/f c/f; git mv b/g c/g",
        "echo 1 >a/n; echo 2 >b/n",
    ),
    case(
        206,
        "added to a directory that was renamed to where there is such a file",
        "mkdir a; seq 20 >a/f; seq 40 60 >a/g",
        "git mv a c; echo there >c/n",
        "echo 1 >a/n",
    ),
    case(
        208,
        "added to a directory that was renamed to where the same side has such a file",
        "mkdir a; seq 20 >a/f; seq 40 60 >a/g",
        "git mv a c",
        "echo 1 >a/n; mkdir c; echo 2 >c/n",
    ),
    case(
        209,
        "added to a directory that was renamed into one that always had such a file",
        "mkdir a c; seq 20 >a/f; seq 40 60 >a/g; echo 3 >c/n",
        "git mv a/f c/f; git mv a/g c/g",
        "echo 1 >a/n",
    ),
    case(
        207,
        "a directory renamed into one that the other side renamed too",
        "mkdir a b; seq 20 >a/f; seq 40 60 >b/g",
        "git mv a c; echo n >b/n",
        "git mv b a/b; echo m >a/m",
    ),
];

#[test]
fn trees_of_every_kind_merge_as_in_git() {
    as_git(TREES);
}
