import { type ModelFile, storedAs } from '../../models/library/modelSources.ts';
import { downloadText } from '../../state/downloadText.ts';
import type { Download } from '../../state/facts.ts';
import { requestFor } from '../../state/modelChoices.ts';
import { bytes } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './encoder.module.css';

/**
 * A button that downloads a file, or uses it if it is stored; nothing while it is being downloaded. Without `name`, the
 * button relies on the file's name beside it. With it, its room is there before it is known what is stored.
 */
export function GetModel({ file, name }: { readonly file: ModelFile; readonly name?: string }) {
  const stored = useFacts((s) => storedAs(file, s.stored?.models ?? []));
  const isKnown = useFacts((s) => s.stored !== null);
  const isUnderWay = useFacts((s) => s.downloads.has(file.id));
  const isUsed = useFacts((s) => s.modelRequest?.kind === 'stored' && s.modelRequest.model === stored?.id);
  const openModel = useFacts((s) => s.openModel);
  const download = useFacts((s) => s.download);
  if (!isKnown && !name) return null;
  if (isUnderWay) return name ? null : <span className="muted small">See above</span>;
  if (isUsed) return <span className="muted small">In use</span>;
  const size = file.bytes ?? file.about;
  const amount = size === undefined ? '' : `${file.bytes === null ? 'about ' : ''}${bytes(size)}`;
  const words = stored ? ['Use', name] : ['Download', name, amount && name ? `(${amount})` : amount];
  const label = words.filter(Boolean).join(' ');
  return (
    <button
      type="button"
      className={name ? 'primary small' : 'small'}
      aria-label={name ? undefined : `${label}: ${file.label}`}
      disabled={!isKnown}
      onClick={() => void (stored ? openModel(requestFor(stored)) : download(file))}
    >
      {label}
    </button>
  );
}

/** Shows the downloads that are running and those that failed, until they are complete or given up. */
export function Downloads({ onManage }: { onManage(): void }) {
  const downloads = useFacts((s) => s.downloads);
  if (downloads.size === 0) return null;
  return (
    <ul className={styles.downloads} aria-label="Downloads">
      {[...downloads.values()].map((download) => (
        <DownloadRow key={download.file.id} download={download} onManage={onManage} />
      ))}
    </ul>
  );
}

function DownloadRow({ download, onManage }: { readonly download: Download; onManage(): void }) {
  const { file, phase, progress, message, fault } = download;
  const goOn = useFacts((s) => s.download);
  const pause = useFacts((s) => s.pauseDownload);
  const cancel = useFacts((s) => s.cancelDownload);
  const hasPart = progress !== null && progress.done > 0;
  return (
    <li data-phase={phase}>
      <div className={styles.line}>
        <span className={styles.name}>{file.label}</span>
        <span className={styles.amount}>{downloadText(download)}</span>
        <span className={styles.actions}>
          {phase === 'running' ? (
            <button type="button" className="small" onClick={() => pause(file.id)}>
              Pause
            </button>
          ) : (
            <button type="button" className="small" onClick={() => void goOn(file)}>
              {hasPart ? 'Go on' : 'Try again'}
            </button>
          )}
          {fault === 'quota' && (
            <button type="button" className="small" onClick={onManage}>
              Delete stored models…
            </button>
          )}
          <button
            type="button"
            className="small"
            title={hasPart ? 'Deletes the part that is downloaded.' : undefined}
            onClick={() => void cancel(file.id)}
          >
            {phase === 'failed' && !hasPart ? 'Dismiss' : 'Cancel'}
          </button>
        </span>
      </div>
      {(phase === 'running' || hasPart) && (
        <progress aria-label={`Download of ${file.label}`} value={progress?.done} max={progress?.total || undefined} />
      )}
      {message && (
        <div className="notice" data-severity="error" role="alert">
          <p>{message}</p>
        </div>
      )}
      {phase === 'running' && (
        <p className="muted small">
          The page uses it when the download is complete; until then the model in use stays.
        </p>
      )}
      {phase === 'paused' && <p className="muted small">Paused. The part that is downloaded is kept.</p>}
    </li>
  );
}
