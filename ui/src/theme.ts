// Runs before the first paint, so that a chosen theme never flashes in the other one. Without a choice the style sheet follows the system.
const chosen = new URLSearchParams(location.search).get('theme') ?? localStorage.getItem('theme');
if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
