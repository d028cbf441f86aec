import type { RefObject } from 'react';
import type { Diagnostic } from '../../prompt/ast.ts';
import type { PromptHandle } from './promptHandle.ts';
import styles from './prompts.module.css';

const most = 100;

interface DiagnosticsProps {
  readonly id: string;
  readonly diagnostics: readonly Diagnostic[];
  readonly prompt: RefObject<PromptHandle | null>;
}

/** Lists the messages about a prompt, each with its position and, if there is one, its fix. */
export function Diagnostics({ id, diagnostics, prompt }: DiagnosticsProps) {
  return (
    <ul className={styles.diagnostics} id={id}>
      {diagnostics.slice(0, most).map(({ code, severity, message, start, end, fix }) => (
        <li key={`${code} ${start}`} data-severity={severity}>
          <span>{message}</span>
          <span className={styles.actions}>
            {end > start && (
              <button type="button" className="small" onClick={() => prompt.current?.select({ start, end })}>
                Show
              </button>
            )}
            {fix && (
              <button type="button" className="small" onClick={() => prompt.current?.apply(fix.edits)}>
                {fix.label}
              </button>
            )}
          </span>
        </li>
      ))}
      {diagnostics.length > most && <li className="muted">and {diagnostics.length - most} more</li>}
    </ul>
  );
}
