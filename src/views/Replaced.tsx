import { useFacts } from './useFacts.ts';

/** What a link, a file or a paste put in place of the prompts, with a way back. */
export function Replaced() {
  const replaced = useFacts((s) => s.replaced);
  const recognised = useFacts((s) => s.recognised);
  const restore = useFacts((s) => s.restore);
  const keepReplaced = useFacts((s) => s.keepReplaced);
  const forgetRecognised = useFacts((s) => s.forgetRecognised);
  const facts = [
    recognised?.steps && (recognised.steps === 1 ? '1 step' : `${recognised.steps} steps`),
    recognised?.clipSkip && `clip skip ${recognised.clipSkip}`,
  ];
  return (
    <div className="replaced">
      <div role="status" aria-label="What was opened">
        {replaced && (
          <div className="notice">
            <span className="text">{replaced.message}</span>
            <span className="actions">
              <button type="button" className="small" onClick={() => restore(replaced.before)}>
                Take back
              </button>
              <button type="button" className="quiet small" aria-label="Keep" onClick={keepReplaced}>
                ✕
              </button>
            </span>
          </div>
        )}
      </div>
      {recognised && (
        <p className="recognised" title="Kept with the prompts; nothing on this page depends on them yet.">
          <span>Recognised: {facts.filter(Boolean).join(', ')}</span>
          <button
            type="button"
            className="quiet small"
            aria-label="Forget what was recognised"
            onClick={forgetRecognised}
          >
            ✕
          </button>
        </p>
      )}
    </div>
  );
}
