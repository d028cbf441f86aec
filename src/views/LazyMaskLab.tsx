import { type ComponentType, useEffect, useState } from 'react';

/** The mask lab, loaded when it is opened: it has passes encoded that nothing else needs. */
export function LazyMaskLab() {
  const [isOpen, setIsOpen] = useState(false);
  const [lab, setLab] = useState<{ readonly Lab: ComponentType } | 'failed' | null>(null);

  useEffect(() => {
    if (!isOpen || lab) return;
    import('./masklab/MaskLab.tsx').then(
      ({ MaskLab }) => setLab({ Lab: MaskLab }),
      () => setLab('failed'),
    );
  }, [isOpen, lab]);

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
      {isOpen && (
        <div id="mask-lab">
          {lab === 'failed' ? (
            <div className="notice" data-severity="error" role="alert">
              <span>This part of the page could not be loaded.</span>
              <button type="button" onClick={() => setLab(null)}>
                Try again
              </button>
            </div>
          ) : lab ? (
            <lab.Lab />
          ) : (
            <p className="muted unloaded">Loading the mask lab</p>
          )}
        </div>
      )}
    </section>
  );
}
