import styles from './notices.module.css';
import { useFacts } from './useFacts.ts';

/** Shows what went wrong or is missing, one sentence each. */
export function Notices() {
  const notices = useFacts((s) => s.notices);
  const dismiss = useFacts((s) => s.dismiss);
  const openModel = useFacts((s) => s.openModel);
  const openFile = useFacts((s) => s.openFile);
  const examine = useFacts((s) => s.examine);
  const show = useFacts((s) => s.show);
  const missing = useFacts((s) => (s.adapter.phase === 'missing' ? s.adapter.message : null));
  return (
    <>
      <div className={styles.notices}>
        {missing && (
          <div className="notice" role="alert">
            <div>
              <p>
                <b>The encoder cannot run here.</b> {missing} Tokens, weights and masks work; attention and embeddings
                need it.
              </p>
              <p className="muted small">
                {isSecureContext
                  ? 'WebGPU is in Chrome and Edge from 113 (on Linux it may have to be switched on), in Safari from 26 and in Firefox from 141 on Windows. Hardware acceleration must be on.'
                  : 'Browsers offer WebGPU only to pages from https or localhost; this one came from neither.'}
              </p>
            </div>
          </div>
        )}
      </div>
      <div className={`${styles.notices} ${styles.errors}`}>
        {notices.map(({ id, message, offer }) => (
          <div key={id} className="notice" data-severity="error" role="alert">
            <p>{message}</p>
            {offer && (
              <button
                type="button"
                className="small"
                onClick={() => {
                  dismiss(id);
                  if ('file' in offer) void openFile(offer.file);
                  else if ('request' in offer) void openModel(offer.request);
                  else {
                    show({ view: 'checkpoint' });
                    void examine(offer.damaged);
                  }
                }}
              >
                {offer.label}
              </button>
            )}
            <button type="button" className="quiet small" aria-label="Dismiss" onClick={() => dismiss(id)}>
              ✕
            </button>
          </div>
        ))}
      </div>
    </>
  );
}
