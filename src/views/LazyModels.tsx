import { type ComponentType, useEffect, useState } from 'react';

/** The manager of models, loaded when it is opened. */
export function LazyModels() {
  const [panel, setPanel] = useState<{ readonly Panel: ComponentType } | 'failed' | null>(null);
  useEffect(() => {
    if (panel) return;
    import('./models/Models.tsx').then(
      ({ Models }) => setPanel({ Panel: Models }),
      () => setPanel('failed'),
    );
  }, [panel]);
  return (
    <section id="models" aria-label="Models">
      {panel === 'failed' ? (
        <div className="notice" data-severity="error" role="alert">
          <span>This part of the page could not be loaded.</span>
          <button type="button" onClick={() => setPanel(null)}>
            Try again
          </button>
        </div>
      ) : (
        panel && <panel.Panel />
      )}
    </section>
  );
}
