import { use, useRef, useState } from 'react';
import { longestLink, shared, writeLink, writeShared } from '../../state/shared.ts';
import type { ClipscopeStore } from '../../state/store.ts';
import { viewHash } from '../../state/view.ts';
import { whole } from '../page/numbers.ts';
import { StoreContext, useFacts } from '../page/useFacts.ts';
import { saveFile } from '../pictures/saveFile.ts';
import styles from './prompts.module.css';

/** A link is packed, or readable by people and easy to write for programs. */
type Form = 'packed' | 'readable';

type Outcome =
  | { readonly kind: 'copied'; readonly form: Form }
  /** The clipboard is forbidden: the link is shown, to be copied by hand. */
  | { readonly kind: 'shown'; readonly link: string }
  | { readonly kind: 'too-long'; readonly length: number };

/** Writes a link of this form to what the page shows. */
async function linkOf(form: Form, store: ClipscopeStore): Promise<string> {
  const contents = shared(store.getState());
  const { view } = store.getState();
  const page = location.href.replace(/#.*/s, '');
  if (form === 'packed') return page + (await writeLink(contents)) + viewHash(view).replace('#', '&');
  const { writeReadableLink } = await import('../../state/linkParameters.ts');
  return page + writeReadableLink(contents, view);
}

/** Throws RangeError for a link that is not to be copied. */
function notTooLong(link: string): string {
  if (link.length > longestLink) throw new RangeError('The link is too long.');
  return link;
}

/** Copies a text as soon as it is there. WebKit has to be asked in the click itself, and refuses a page that asks later. */
async function copyWhenWritten(text: Promise<string>): Promise<void> {
  if (typeof ClipboardItem === 'undefined') return navigator.clipboard.writeText(await text);
  const type = 'text/plain';
  const blob = text.then((written) => new Blob([written], { type }));
  return navigator.clipboard.write([new ClipboardItem({ [type]: blob })]);
}

/** Copies a link that holds the prompts, options and selection. If it would be too long, offers a file. */
export function Share() {
  const store = use(StoreContext);
  const prompts = useFacts((s) => s.prompts);
  const rest = useFacts(({ options, side, chunk, layer, head, stage, view }) =>
    JSON.stringify([options, side, chunk, layer, head, stage, view]),
  );
  const [last, setOutcome] = useState<(Outcome & { readonly of: readonly [object, string] }) | null>(null);
  const said = useRef<HTMLDivElement>(null);
  // The link belongs to what the page showed when it was made.
  const outcome = last?.of[0] === prompts && last.of[1] === rest ? last : null;
  if (!store) return null;

  const copy = async (form: Form) => {
    const of = [prompts, rest] as const;
    const writing = linkOf(form, store);
    const copying = copyWhenWritten(writing.then(notTooLong)).then(
      () => true,
      () => false,
    );
    const link = await writing;
    if (link.length > longestLink) return setOutcome({ kind: 'too-long', length: link.length, of });
    setOutcome((await copying) ? { kind: 'copied', form, of } : { kind: 'shown', link, of });
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
        onClick={() => void copy('packed')}
        onBlur={({ relatedTarget }) => {
          if (outcome?.kind === 'copied' && !said.current?.contains(relatedTarget)) setOutcome(null);
        }}
      >
        Copy link
      </button>
      <div className={styles.shared} role="status" aria-label="Link" ref={said}>
        {outcome?.kind === 'copied' && (
          <span className="muted small">{outcome.form === 'packed' ? 'Copied.' : 'Copied as readable text.'}</span>
        )}
        {outcome?.kind === 'copied' && outcome.form === 'packed' && (
          <button
            type="button"
            className="quiet small"
            // The focus stays on the first button, which would take this one away as it goes.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => void copy('readable')}
          >
            Copy it as readable text
          </button>
        )}
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
