import { useId } from 'react';
import styles from './segmented.module.css';

interface SegmentedProps<T> {
  readonly legend: string;
  /** Begins the name of the radio group. */
  readonly name: string;
  readonly choices: readonly { readonly value: T; readonly label: string | number }[];
  readonly value: T;
  readonly className?: string;
  onChange(value: T): void;
}

/** A radio group drawn as a row of joined buttons. */
export function Segmented<T>({ legend, name, choices, value, className = '', onChange }: SegmentedProps<T>) {
  // Two views may have one control, and one of them is hidden.
  const group = name + useId();
  return (
    <fieldset className={`${styles.segmented} ${className}`.trim()}>
      <legend>{legend}</legend>
      {choices.map((choice, i) => (
        <label key={i}>
          <input type="radio" name={group} checked={choice.value === value} onChange={() => onChange(choice.value)} />
          <span>{choice.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
