import { type RefObject, useState } from 'react';
import type { Diagnostic } from '../../prompt/ast.ts';
import { joinedEdits, messageGroups } from './messageGroups.ts';
import type { PromptHandle } from './promptHandle.ts';
import styles from './prompts.module.css';

const most = 100;

interface DiagnosticsProps {
  readonly id: string;
  readonly diagnostics: readonly Diagnostic[];
  readonly prompt: RefObject<PromptHandle | null>;
}

/** Lists the messages about a prompt, with their places and, where there are some, their fixes. */
export function Diagnostics({ id, diagnostics, prompt }: DiagnosticsProps) {
  const groups = messageGroups(diagnostics);
  return (
    <ul className={styles.diagnostics} id={id}>
      {groups.slice(0, most).map((group) => (
        <Message key={`${group[0].code} ${group[0].start}`} group={group} prompt={prompt} />
      ))}
      {groups.length > most && <li className="muted">and {groups.length - most} more</li>}
    </ul>
  );
}

interface MessageProps {
  /** At least one. */
  readonly group: readonly Diagnostic[];
  readonly prompt: RefObject<PromptHandle | null>;
}

function Message({ group, prompt }: MessageProps) {
  const [next, setNext] = useState(0);
  const [{ severity, message }] = group;
  const { start, end } = group[next % group.length];
  const isRepeated = group.length > 1;
  const fixes = group.flatMap(({ fix }) => fix ?? []);
  const show = () => {
    prompt.current?.select({ start, end });
    setNext((next + 1) % group.length);
  };
  return (
    <li data-severity={severity}>
      <span>
        {message}
        {isRepeated && <b> {group.length} times.</b>}
      </span>
      <span className={styles.actions}>
        {end > start && (
          <button type="button" className="small" onClick={show}>
            {isRepeated ? `Show ${(next % group.length) + 1} of ${group.length}` : 'Show'}
          </button>
        )}
        {fixes.length > 0 && (
          <button type="button" className="small" onClick={() => prompt.current?.apply(joinedEdits(fixes))}>
            {fixes.length > 1 ? `Fix all ${fixes.length}` : fixes[0].label}
          </button>
        )}
      </span>
    </li>
  );
}
