import type { ReactNode } from 'react';
import { shownInShort } from '../../state/shownInShort.ts';
import { type View, viewTitles } from '../../state/view.ts';
import { useFacts } from './useFacts.ts';
import styles from './viewHeader.module.css';

interface ViewHeaderProps {
  readonly view: View;
  /** A sentence or two: what the view shows, how to read it, and the words that it needs. */
  readonly lead: ReactNode;
  /** The controls of the whole view. */
  readonly children?: ReactNode;
}

/** Begins a view: its title, of what its numbers are, its controls, and how to read it. */
export function ViewHeader({ view, lead, children }: ViewHeaderProps) {
  const inShort = useFacts((s) => shownInShort(s, view));
  return (
    <>
      <header>
        <h2 id={`${view}-title`}>{viewTitles[view]}</h2>
        <p className={styles.inShort}>{inShort}</p>
        {children}
      </header>
      <p className={styles.lead}>{lead}</p>
    </>
  );
}
