import type { KeyboardEvent } from 'react';
import type { MappedRow } from '../../road/lecture.ts';
import { clampIndex, moveOf } from '../page/roving.ts';
import styles from './anatomy.module.css';
import { equationNumbers, rowOfEquation } from './equations.ts';

/** Moves the focus along the line of buttons, of which Tab reaches one. */
function moveAlong(event: KeyboardEvent<HTMLElement>): void {
  const move = moveOf(event);
  const buttons = [...event.currentTarget.querySelectorAll('button')];
  const index = buttons.indexOf(event.target as HTMLButtonElement);
  if (!move || index < 0) return;
  event.preventDefault();
  buttons[clampIndex(index + move.rows + move.columns, buttons.length)].focus();
}

interface EquationsProps {
  readonly shown: MappedRow;
  onChoose(row: MappedRow): void;
}

/** The lecture's equations by their numbers: each is one click from its numbers and its code. */
export function Equations({ shown, onChoose }: EquationsProps) {
  return (
    <div className={styles.equations}>
      <span className={styles.equationsTitle} id="anatomy-equations-title">
        Equation of the lecture
      </span>
      {/* The arrow keys move among the buttons inside. */}
      <div role="toolbar" aria-labelledby="anatomy-equations-title" onKeyDown={moveAlong}>
        {equationNumbers.map((number) => {
          const row = rowOfEquation(number);
          const isShown = shown.equations.includes(number);
          return (
            <button
              key={number}
              type="button"
              className="small"
              aria-label={`Equation ${number}: ${row.title}`}
              aria-pressed={isShown}
              tabIndex={number === shown.equations[0] ? 0 : -1}
              onClick={() => onChoose(row)}
            >
              {number}
            </button>
          );
        })}
      </div>
    </div>
  );
}
