import { useRef } from 'react';
import { type Example, examples } from '../../state/examples.ts';
import styles from './menu.module.css';
import { useFacts } from './useFacts.ts';

/** A menu of puzzles, each of which fills the prompts, in a way that can be taken back, and opens the view that answers it. */
export function Examples() {
  const replace = useFacts((s) => s.replace);
  const show = useFacts((s) => s.show);
  const menu = useRef<HTMLDetailsElement>(null);
  const close = () => {
    if (menu.current) menu.current.open = false;
  };
  const choose = ({ question, work, view }: Example) => {
    replace(work, `Example: ${question}`);
    show({ view, side: 'positive', chunk: 0, stage: 'last' });
    close();
    menu.current?.querySelector('summary')?.focus();
  };
  return (
    <details
      className={styles.menu}
      ref={menu}
      onBlur={({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget)) close();
      }}
      onKeyDown={({ key, currentTarget }) => {
        if (key !== 'Escape') return;
        close();
        currentTarget.querySelector('summary')?.focus();
      }}
    >
      <summary>Examples</summary>
      <ul>
        {examples.map((example) => (
          <li key={example.question}>
            <button type="button" className="quiet" onClick={() => choose(example)}>
              {example.question}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
