// Dark or light: the system's choice until the user makes one.
import { computed, effect, signal } from '@preact/signals';
import { param } from './url';

const systemLight = matchMedia('(prefers-color-scheme: light)');
const system = signal<Theme>(systemLight.matches ? 'light' : 'dark');
systemLight.addEventListener('change', () => (system.value = systemLight.matches ? 'light' : 'dark'));

export type Theme = 'dark' | 'light';
const isTheme = (t: string | null): t is Theme => t === 'dark' || t === 'light';
const saved = localStorage.getItem('theme');
const stored = signal<Theme | null>(isTheme(saved) ? saved : null);

export const theme = computed<Theme>(() => {
  const asked = param('theme');
  return isTheme(asked) ? asked : stored.value ?? system.value;
});

export function chooseTheme(t: Theme): void {
  localStorage.setItem('theme', t);
  stored.value = t;
}

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});
