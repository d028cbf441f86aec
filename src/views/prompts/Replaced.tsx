import { useFacts } from '../page/useFacts.ts';

/** What a link, a file or a paste put in place of the prompts, with a way back. */
export function Replaced() {
  const replaced = useFacts((s) => s.replaced);
  const restore = useFacts((s) => s.restore);
  const keepReplaced = useFacts((s) => s.keepReplaced);
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
    </div>
  );
}
