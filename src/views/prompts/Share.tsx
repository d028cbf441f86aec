import { use, useState } from 'react';
import { longestLink, shared, writeLink, writeShared } from '../../state/shared.ts';
import { viewHash } from '../../state/view.ts';
import { whole } from '../page/numbers.ts';
import { StoreContext, useFacts } from '../page/useFacts.ts';
import { saveFile } from '../pictures/saveFile.ts';
import styles from './prompts.module.css';

type Outcome =
  | { readonly kind: 'copied' }
  /** The clipboard is forbidden: the link is shown, to be copied by hand. */
  | { readonly kind: 'shown'; readonly link: string }
  | { readonly kind: 'too-long'; readonly length: number };

/** Copies a link that holds the prompts, options and selection. If it would be too long, offers a file. */
export function Share() {
  const store = use(StoreContext);
  const prompts = useFacts((s) => s.prompts);
  const [last, setOutcome] = useState<(Outcome & { readonly of: object }) | null>(null);
  // The link belongs to the prompts as they were when it was made.
  const outcome = last?.of === prompts ? last : null;
  if (!store) return null;

  const copy = async () => {
    const of = prompts;
    const link =
      location.href.replace(/#.*/s, '') +
      (await writeLink(shared(store.getState()))) +
      viewHash(store.getState().view).replace('#', '&');
    if (link.length > longestLink) return setOutcome({ kind: 'too-long', length: link.length, of });
    try {
      await navigator.clipboard.writeText(link);
      setOutcome({ kind: 'copied', of });
    } catch {
      setOutcome({ kind: 'shown', link, of });
    }
  };
  const save = () => {
    saveFile('clipscope-prompt.json', writeShared(shared(store.getState()), 2), 'application/json');
    setOutcome(null);
  };

  return (
    <>
      <button
        type="button"
        className="small"
        onClick={() => void copy()}
        onBlur={() => outcome?.kind === 'copied' && setOutcome(null)}
      >
        Copy link
      </button>
      <div className={styles.shared} role="status" aria-label="Link">
        {outcome?.kind === 'copied' && <span className="muted small">Copied.</span>}
        {outcome?.kind === 'shown' && (
          <input
            type="text"
            readOnly
            aria-label="Link to copy"
            value={outcome.link}
            onFocus={(e) => e.target.select()}
          />
        )}
        {outcome?.kind === 'too-long' && (
          <div className="notice">
            <span className={styles.text}>
              The link would have {whole(outcome.length)} characters; many programs cut off more than{' '}
              {whole(longestLink)}.
            </span>
            <button type="button" className="small" onClick={save}>
              Save a file
            </button>
          </div>
        )}
      </div>
    </>
  );
}
