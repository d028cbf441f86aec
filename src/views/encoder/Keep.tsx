import { type ReactNode, useEffect, useRef } from 'react';
import { downloadText } from '../../state/downloadText.ts';
import { encoderBytes, fileToKeep, keptModel } from '../../state/modelChoices.ts';
import { bytes } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './encoder.module.css';

/** A button that stores the file in use in this browser. With `isListed`, the file's name stands beside it. */
export function KeepButton({ isListed }: { readonly isListed?: boolean }) {
  const file = useFacts(fileToKeep);
  const size = useFacts(encoderBytes);
  const keepFile = useFacts((s) => s.keepFile);
  if (!file) return null;
  const amount = size === null ? '' : ` (${bytes(size)})`;
  return (
    <button
      type="button"
      className="small"
      aria-label={isListed ? `Keep${amount}: ${file.name}` : undefined}
      onClick={() => void keepFile()}
    >
      {isListed ? `Keep${amount}` : `Keep in this browser${amount}`}
    </button>
  );
}

/** Says whether the model in use is stored in this browser. If it came from a file, offers to store it. */
export function Keep({ onManage }: { onManage(): void }) {
  const canKeep = useFacts((s) => fileToKeep(s) !== null);
  const isUnderWay = useFacts((s) => s.keeping !== null);
  const isKept = useFacts((s) => keptModel(s) !== undefined && s.stored?.place !== 'memory');
  const part = useRef<HTMLDivElement>(null);
  let content: ReactNode = null;
  if (isUnderWay) content = <Keeping onManage={onManage} />;
  else if (!canKeep && isKept) content = <span className="muted small">Kept in this browser</span>;
  const phase = isUnderWay ? 'under way' : canKeep ? 'offered' : 'kept';
  const before = useRef(phase);
  useEffect(() => {
    // The button that was pressed is gone, so the focus moves to the text that replaces it.
    if (before.current !== phase && before.current !== 'kept' && document.activeElement === document.body)
      part.current?.focus();
    before.current = phase;
  }, [phase]);
  if (!content && !canKeep) return null;
  return (
    <div className={styles.keep} ref={part} tabIndex={-1}>
      {canKeep && <KeepButton />}
      {content}
    </div>
  );
}

function Keeping({ onManage }: { onManage(): void }) {
  const keeping = useFacts((s) => s.keeping);
  const isInUse = useFacts((s) => s.modelRequest?.kind === 'file' && s.modelRequest.file === s.keeping?.file);
  const keepFile = useFacts((s) => s.keepFile);
  const cancel = useFacts((s) => s.cancelKeep);
  if (!keeping) return null;
  const { file, progress, failure } = keeping;
  return (
    <ul className={styles.downloads} aria-label="Being kept">
      <li>
        <div className={styles.line}>
          <span className={styles.name}>Keeping {file.name}</span>
          <span className={styles.amount}>
            {!failure && (progress ? downloadText({ phase: 'running', progress }) : 'Opening the file')}
          </span>
          <span className={styles.actions}>
            {failure && isInUse && (
              <button type="button" className="small" onClick={() => void keepFile()}>
                Try again
              </button>
            )}
            {failure?.fault === 'quota' && (
              <button type="button" className="small" onClick={onManage}>
                Delete stored models…
              </button>
            )}
            <button type="button" className="small" onClick={cancel}>
              {failure ? 'Dismiss' : 'Cancel'}
            </button>
          </span>
        </div>
        {failure ? (
          <div className="notice" data-severity="error" role="alert">
            <p>{failure.message}</p>
          </div>
        ) : (
          <progress aria-label={`Copy of ${file.name}`} value={progress?.done} max={progress?.total || undefined} />
        )}
      </li>
    </ul>
  );
}
