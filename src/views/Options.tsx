import { maskModes } from '../clip/masks.ts';
import { tokenizerFlavours } from '../clip/tokenizerFlavours.ts';
import { weightingMethods } from '../weighting/pipeline.ts';
import { type Choice, masks, tokenizers, weightings } from './choices.ts';
import { useFacts } from './useFacts.ts';

/** What may differ between the programs that run this encoder. Each choice is explained beside the picture it changes. */
export function Options() {
  const options = useFacts((s) => s.options);
  const setOption = useFacts((s) => s.setOption);
  return (
    <div className="settings">
      <Setting
        label="Mask"
        values={maskModes}
        choices={masks}
        value={options.mask}
        onChange={(mask) => setOption('mask', mask)}
      />
      <Setting
        label="Weighting"
        values={weightingMethods}
        choices={weightings}
        value={options.weighting}
        onChange={(weighting) => setOption('weighting', weighting)}
      />
      <Setting
        label="Tokenizer"
        values={tokenizerFlavours}
        choices={tokenizers}
        value={options.tokenizer}
        onChange={(tokenizer) => setOption('tokenizer', tokenizer)}
      />
    </div>
  );
}

interface SettingProps<T extends string> {
  readonly label: string;
  readonly values: readonly T[];
  readonly choices: Record<T, Choice>;
  readonly value: T;
  onChange(value: T): void;
}

function Setting<T extends string>({ label, values, choices, value, onChange }: SettingProps<T>) {
  const id = label.toLowerCase();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={value}
        title={choices[value].help}
        aria-describedby={`${id}-help`}
        onChange={(event) => onChange(event.target.value as T)}
      >
        {values.map((choice) => (
          <option key={choice} value={choice}>
            {choices[choice].name}
          </option>
        ))}
      </select>
    </div>
  );
}

/** What a choice is, for the panel that shows its effect. */
export function ChoiceHelp({ label, choice }: { label: string; choice: Choice }) {
  return (
    <p className="help" id={`${label.toLowerCase()}-help`}>
      <b>{choice.name}.</b> {choice.help}
    </p>
  );
}
