import { useState } from 'react';
import { usePart } from '../page/lazyPart.tsx';

const load = () => import('./Programs.tsx');

/** The prompt in three programs side by side, loaded and encoded when someone asks for it. */
export function LazyPrograms() {
  const [isOpen, setIsOpen] = useState(false);
  const { part, standIn } = usePart(isOpen, load);
  return (
    <section className="panel" id="programs" aria-labelledby="programs-title" tabIndex={-1}>
      <header>
        <h2 id="programs-title">Programs</h2>
        <div className="toolbar">
          <button type="button" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
            Compare programs
          </button>
        </div>
      </header>
      {!isOpen ? (
        <p className="help">
          This prompt in A1111, Compel and ComfyUI, token by token, and how far the numbers are apart.
        </p>
      ) : part ? (
        <part.Programs />
      ) : (
        standIn
      )}
    </section>
  );
}
