import { useId } from 'react';
import styles from './slider.module.css';

interface SliderProps {
  readonly label: string;
  readonly count: number;
  /** The value, from 0; it is shown from 1. */
  readonly value: number;
  readonly disabled?: boolean;
  onChange(value: number): void;
}

/** Chooses one of a few, counted from 1. */
export function Slider({ label, count, value, disabled, onChange }: SliderProps) {
  const id = useId();
  return (
    <div className={styles.slider}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="range"
        min={1}
        max={count}
        step={1}
        value={value + 1}
        disabled={disabled}
        aria-valuetext={`${value + 1} of ${count}`}
        onChange={(event) => onChange(event.target.valueAsNumber - 1)}
      />
      <span className={styles.sliderValue} aria-hidden="true">
        {value + 1}
        <span className="muted"> / {count}</span>
      </span>
    </div>
  );
}
