import { useEffect, useMemo, useRef, useState } from 'react';
import { viewTitles } from '../../state/view.ts';
import { controlsOf, nameOf, sentenceOf } from './controls.ts';
import { glossary } from './glossary.ts';
import styles from './help.module.css';
import { useFacts } from './useFacts.ts';

type Entry = readonly [name: string, sentence: string];

/** The controls in `root` that are on show, each sentence once. */
function entriesOf(root: ParentNode, isOwn: (control: HTMLElement) => boolean): readonly Entry[] {
  const entries = new Map<string, string>();
  for (const control of controlsOf(root)) {
    if (!isOwn(control) || !control.checkVisibility()) continue;
    const sentence = sentenceOf(control);
    if (sentence && !entries.has(sentence)) entries.set(sentence, nameOf(control));
  }
  return Array.from(entries, ([sentence, name]) => [name, sentence]);
}

/** Says what every control on show does, and what the page's words mean: for who has no pointer to hover with, too. */
export function Help({ onClose }: { onClose(): void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const shown = useFacts((s) => s.view);
  const [view] = useState(shown);
  useEffect(() => dialog.current?.showModal(), []);
  // Another view has other controls, which are not there yet: Back closes the list.
  useEffect(() => {
    if (shown !== view) dialog.current?.close();
  }, [shown, view]);
  const { own, others } = useMemo(() => {
    const panel = document.getElementById(view);
    return {
      own: panel ? entriesOf(panel, () => true) : [],
      others: entriesOf(document, (control) => !panel?.contains(control) && !control.closest('dialog')),
    };
  }, [view]);
  return (
    <dialog className={styles.help} ref={dialog} aria-labelledby="help-title" onClose={onClose}>
      <div className={styles.head}>
        <h2 id="help-title">What is this?</h2>
        {/* biome-ignore lint/a11y/noAutofocus: a dialog begins with its way out, and its text is scrolled from there. */}
        <button type="button" className="small" autoFocus onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
      <List title={`In “${viewTitles[view]}”`} entries={own} />
      <List title="Words" entries={glossary} />
      <List title="Around every view" entries={others} />
    </dialog>
  );
}

function List({ title, entries }: { readonly title: string; readonly entries: readonly Entry[] }) {
  if (entries.length === 0) return null;
  return (
    <section>
      <h3>{title}</h3>
      <dl>
        {entries.map(([name, sentence]) => (
          <div key={name + sentence}>
            <dt>{name}</dt>
            <dd>{sentence}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
