interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly choices: readonly T[];
  readonly value: T;
  onChange(value: T): void;
}

/** One word of a few. */
export function Choice<T extends string>({ label, choices, value, onChange }: ChoiceProps<T>) {
  return (
    <label className="field inline">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value as T)}>
        {choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    </label>
  );
}
