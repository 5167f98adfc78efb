// Runs before the first paint, so that the page never flashes in the other theme: the chosen one, else the system's.
const chosen = new URLSearchParams(location.search).get('theme') ?? localStorage.getItem('theme');
const system = matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
document.documentElement.dataset.theme = chosen === 'dark' || chosen === 'light' ? chosen : system;
