// Links that open a lesson elsewhere. They follow the address of the site, so those of a fork lead to the fork.

// The repository, "owner/name", whose pages are served at a host and a folder of it; if it is none of GitHub's, the
// stated one, or null while that is still the placeholder.
function repositoryAt(host, folder, stated) {
  const owner = /^([a-z\d](?:-?[a-z\d]){0,38})\.github\.io$/i.exec(host)?.[1];
  const [first] = folder.split("/").filter(Boolean);
  const name = first ?? `${owner}.github.io`;
  if (owner && /^[\w.-]{1,100}$/.test(name) && !/^\.+$/.test(name)) return `${owner}/${name}`;
  return /^[\w-]+\/[\w.-]+$/.test(stated) && !stated.startsWith("OWNER/") ? stated : null;
}

function launchLinks({ host, folder, stated, lesson }) {
  const repository = repositoryAt(host, folder, stated);
  if (!repository) return [];
  const path = `notebooks/${lesson}.ipynb`;
  return [
    ["Binder", `https://mybinder.org/v2/gh/${repository}/HEAD?urlpath=lab/tree/${path}`],
    ["Colab", `https://colab.research.google.com/github/${repository}/blob/main/${path}`],
    ["Codespaces", `https://codespaces.new/${repository}`],
  ];
}

if (typeof document !== "undefined") {
  const stated = document.currentScript.dataset.repository;
  const { hostname, pathname } = new URL(document.documentElement.dataset.content_root, location.href);
  for (const note of document.querySelectorAll(".launch")) {
    const lesson = note.dataset.lesson, buttons = note.querySelector(".buttons");
    for (const [name, address] of launchLinks({ host: hostname, folder: pathname, stated, lesson }).reverse()) {
      const link = document.createElement("a");
      Object.assign(link, { href: address, textContent: name });
      buttons.prepend(link, " ");
    }
  }
}
