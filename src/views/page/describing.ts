import { controlsOf, sentenceOf } from './controls.ts';

const prefix = 'explained-';

/**
 * Gives each control its sentence as its description, also those that come later, after descriptions of its own. Gives what
 * ends it. `sentences` is hidden and holds each sentence once.
 */
export function describeControls(sentences: HTMLElement): () => void {
  const ids = new Map<string, string>();
  const idOf = (sentence: string): string => {
    const known = ids.get(sentence);
    if (known) return known;
    const text = document.createElement('p');
    text.id = `${prefix}${ids.size}`;
    text.textContent = sentence;
    sentences.append(text);
    ids.set(sentence, text.id);
    return text.id;
  };
  const describe = () => {
    for (const control of controlsOf(document)) {
      const before = control.getAttribute('aria-describedby') ?? '';
      const own = before.split(' ').filter((id) => id && !id.startsWith(prefix));
      // Whoever typed something wrong hears of that alone.
      const sentence = control.ariaInvalid === 'true' ? null : sentenceOf(control);
      const now = [...own, ...(sentence ? [idOf(sentence)] : [])].join(' ');
      if (now === before) continue;
      if (now) control.setAttribute('aria-describedby', now);
      else control.removeAttribute('aria-describedby');
    }
  };
  let timer = 0;
  const soon = () => {
    timer ||= window.setTimeout(() => {
      timer = 0;
      describe();
    }, 150);
  };
  const observer = new MutationObserver(soon);
  observer.observe(document.body, {
    subtree: true,
    childList: true,
    characterData: true,
    attributeFilter: ['aria-describedby', 'aria-label', 'aria-invalid'],
  });
  // A choice in a select is no change of the document.
  document.addEventListener('change', soon);
  describe();
  return () => {
    clearTimeout(timer);
    observer.disconnect();
    document.removeEventListener('change', soon);
  };
}
