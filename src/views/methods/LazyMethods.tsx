import { useState } from 'react';
import { usePart } from '../page/lazyPart.tsx';
import type { OpenParts } from './openParts.ts';

const parts = { bench: 'Compare methods', sweep: 'Weight sweep' } as const;
type Part = keyof typeof parts;

const load = () => import('./Methods.tsx');

/** All weighting methods on the prompt on show, loaded and encoded when someone asks for them. */
export function LazyMethods() {
  const [open, setOpen] = useState<OpenParts>({ bench: false, sweep: false });
  const isOpen = open.bench || open.sweep;
  const { part, standIn } = usePart(isOpen, load);

  return (
    <section className="panel" id="methods" aria-labelledby="methods-title" tabIndex={-1}>
      <header>
        <h2 id="methods-title">Methods</h2>
        <div className="toolbar">
          {(Object.keys(parts) as Part[]).map((part) => (
            <button
              key={part}
              type="button"
              aria-expanded={open[part]}
              aria-controls={open[part] ? `methods-${part}` : undefined}
              onClick={() => setOpen({ ...open, [part]: !open[part] })}
            >
              {parts[part]}
            </button>
          ))}
        </div>
      </header>
      {!isOpen ? (
        <p className="help">
          What each program’s way of weighing makes of this prompt, side by side, and what it makes of one weight from
          −1 to 3. Some of them encode the prompt several times over, so that this starts when you open it.
        </p>
      ) : part ? (
        <part.Methods {...open} />
      ) : (
        standIn
      )}
    </section>
  );
}
