import { useState } from 'react';
import { usePart } from '../../page/lazyPart.tsx';

const load = () => import('./MaskLab.tsx');

/** The mask lab, loaded when it is opened, because it encodes passes that nothing else needs. */
export function LazyMaskLab() {
  const [isOpen, setIsOpen] = useState(false);
  const { part, standIn } = usePart(isOpen, load, <p className="muted unloaded">Loading the mask lab</p>);

  return (
    <section aria-labelledby="mask-lab-title">
      <h3 id="mask-lab-title">
        <button
          type="button"
          aria-expanded={isOpen}
          aria-controls={isOpen ? 'mask-lab' : undefined}
          onClick={() => setIsOpen(!isOpen)}
        >
          <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span> Mask lab: compare the masks
        </button>
      </h3>
      {isOpen && <div id="mask-lab">{part ? <part.MaskLab /> : standIn}</div>}
    </section>
  );
}
