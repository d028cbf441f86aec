import { useId, useState } from 'react';
import styles from './numberField.module.css';

/** A number with its bounds. */
interface TypedNumber {
  readonly value: number;
  readonly least: number;
  readonly most: number;
  /** Between the values that the arrows lead to; whole numbers alone are taken where it is left out. */
  readonly step?: number;
  readonly onChange: (value: number) => void;
}

/**
 * The state of a field for a number: what may be is taken at once; else the last value that may be stays in use, what is typed
 * stays to be mended until the field is left, and `refusal` says so.
 */
export function useTypedNumber({ value, least, most, step, onChange }: TypedNumber) {
  const [typed, setTyped] = useState<string | null>(null);
  const isWhole = step === undefined;
  const mayBe = (text: string) =>
    text !== '' && Number(text) >= least && Number(text) <= most && (!isWhole || Number.isInteger(Number(text)));
  const isRefused = typed !== null && !mayBe(typed);
  return {
    refusal: isRefused ? `a ${isWhole ? 'whole ' : ''}number, ${least} to ${most}. ${value} stays in use.` : null,
    input: {
      type: 'number',
      min: least,
      max: most,
      step: step ?? 1,
      value: typed ?? value,
      'aria-invalid': isRefused || undefined,
      onChange({ target }: { readonly target: HTMLInputElement }) {
        setTyped(target.value);
        if (mayBe(target.value)) onChange(Number(target.value));
      },
      onBlur: () => setTyped(null),
    },
  } as const;
}

interface NumberFieldProps extends TypedNumber {
  readonly label: string;
  readonly className: string;
}

/** A number between two bounds, with a message where what is typed is none. */
export function NumberField({ label, className, ...number }: NumberFieldProps) {
  const id = useId();
  const { refusal, input } = useTypedNumber(number);
  return (
    <div className={`field inline ${styles.field}`}>
      <label htmlFor={id}>{label}</label>
      <input id={id} className={className} {...input} aria-describedby={refusal ? `${id}-refused` : undefined} />
      {refusal && (
        <p className={`refusal ${styles.refused}`} id={`${id}-refused`} role="alert">
          {label}: {refusal}
        </p>
      )}
    </div>
  );
}
