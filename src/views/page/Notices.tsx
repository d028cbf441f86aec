import { CopyReport } from './Guarded.tsx';
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
  const noEngine = useFacts((s) => s.noEngine);
  // Otherwise the CPU has been tried.
  const isGpuChosen = useFacts((s) => s.engineChoice.engine === 'webgpu');
  const setEngine = useFacts((s) => s.setEngine);
  const retryGpu = useFacts((s) => s.retryGpu);
  return (
    <>
      <div className={styles.notices}>
        {noEngine !== null && (
          <div className="notice" role="alert">
            <p>
              <b>The encoder cannot run here.</b> {noEngine} Tokens, weights and masks work; attention and embeddings
              need it.
            </p>
            {isGpuChosen && (
              <button type="button" className="small" onClick={() => void setEngine({ engine: 'cpu' })}>
                Use the CPU
              </button>
            )}
          </div>
        )}
      </div>
      <PutAside />
      <Newer />
      <div className={`${styles.notices} ${styles.errors}`}>
        {notices.map(({ id, message, offer, fault }) => (
          <div key={id} className="notice" data-severity="error" role="alert">
            <p>{message}</p>
            {fault && <CopyReport fault={fault} />}
            {offer && (
              <button
                type="button"
                className="small"
                onClick={() => {
                  dismiss(id);
                  if ('file' in offer) void openFile(offer.file);
                  else if ('request' in offer) void openModel(offer.request);
                  else if ('retriesGpu' in offer) void retryGpu();
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

/** Offers the prompts that the last visit stopped at. */
function PutAside() {
  const putAside = useFacts((s) => s.putAside);
  const openPutAside = useFacts((s) => s.openPutAside);
  const dismissPutAside = useFacts((s) => s.dismissPutAside);
  if (!putAside) return null;
  return (
    <div className={styles.notices}>
      <div className="notice" role="alert">
        <p>
          Last time this prompt stopped the page, so it is not in use: <q>{excerpt(putAside.prompts.positive)}</q>. It
          is in the history too.
        </p>
        <button type="button" className="small" onClick={openPutAside}>
          Open it
        </button>
        <button type="button" className="quiet small" aria-label="Dismiss" onClick={dismissPutAside}>
          ✕
        </button>
      </div>
    </div>
  );
}

/** Offers a newer build of the page. */
function Newer() {
  const newer = useFacts((s) => s.newerBuild);
  if (!newer) return null;
  return (
    <div className={styles.notices}>
      <div className="notice" role="status">
        <p>
          {newer.isTaken
            ? 'Another tab took a newer version of this page into use: open it here, too, before you go on.'
            : 'A newer version of this page is here, whose numbers may differ. It is used once all tabs of this one are closed, or at once.'}{' '}
          Prompts stay; files that were opened from disk have to be opened again.
        </p>
        <button type="button" className="small" onClick={newer.use}>
          Use the newer version
        </button>
      </div>
    </div>
  );
}

const excerpt = (prompt: string) => (prompt.length > 60 ? `${prompt.slice(0, 60)}…` : prompt);
