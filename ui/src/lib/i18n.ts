// Words of the page: keyed by their English text; other languages are dictionaries loaded when chosen. {0}, {1} stand for arguments.
import { computed, effect, signal } from '@preact/signals';
import { param } from './url';

export const LANGUAGES: [code: string, name: string][] = [['en', 'English'], ['zh', '中文']];

const stored = signal(localStorage.getItem('lang') ?? (navigator.language.startsWith('zh') ? 'zh' : 'en'));
export const lang = computed(() => param('lang') || stored.value);
const words = signal<Record<string, string>>({});

export function chooseLang(code: string): void {
  localStorage.setItem('lang', code);
  stored.value = code;
}

effect(() => {
  document.documentElement.lang = lang.value;
  if (lang.value !== 'zh') words.value = {};
  else void import('./zh').then((m) => (words.value = m.zh));
});

export const fill = (text: string, args: (string | number)[]): string => text.replace(/\{(\d)\}/g, (_, i) => String(args[Number(i)]));

export const T = (text: string, ...args: (string | number)[]): string => fill(words.value[text] ?? text, args);
