import { useEffect, useState } from 'react';
import { shared } from '../../state/shared.ts';
import styles from './app.module.css';
import { Hideable } from './Hideable.tsx';
import { Notices } from './Notices.tsx';
import { useFacts } from './useFacts.ts';
import { Views } from './Views.tsx';

/** One panel, in a frame of another page. */
export function Embedded() {
  return (
    <main className={styles.embedded}>
      <h1 className="visually-hidden">clipscope</h1>
      <Notices />
      <Views />
      <Hideable part="link">
        <p className="muted small">
          <WholePageLink />
        </p>
      </Hideable>
    </main>
  );
}

/** Leads to the whole page with what the panel shows. */
function WholePageLink() {
  const facts = useFacts((s) => s);
  const [write, setWrite] = useState<typeof import('../../state/linkParameters.ts') | null>(null);
  useEffect(() => void import('../../state/linkParameters.ts').then(setWrite), []);
  const page = location.pathname + (write?.writeReadableLink(shared(facts), facts.view) ?? '');
  return (
    <a href={page} target="_blank" rel="noopener">
      Open in clipscope
    </a>
  );
}
