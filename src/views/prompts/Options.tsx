import { useId, useState } from 'react';
import { maskModes } from '../../clip/masks.ts';
import { isWithin, optionValues, type PromptOptions } from '../../road/options.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { comfyUnits } from '../../tokens/chunks/comfyChunks.ts';
import { tokenizerFlavours } from '../../tokens/tokenizerFlavours.ts';
import { methodNames, methods } from '../../weighting/methods.ts';
import { tokenNormalisations } from '../../weighting/normalise.ts';
import { useFacts } from '../page/useFacts.ts';
import {
  bracketChoices,
  type Choice,
  clsChoices,
  comfyUnitChoices,
  masks,
  normalisations,
  splits,
  squareFactors,
  tokenizers,
  weightings,
} from './choices.ts';

/**
 * Options in which the programs that run this encoder differ. Each choice is explained beside the picture it changes.
 */
export function Options() {
  const { syntax, weighting } = useFacts((s) => s.options);
  const layers = useFacts((s) => shownConfig(s).numHiddenLayers);
  return (
    <div className="settings">
      <Choose label="Weighting" name="weighting" values={methodNames} choices={weightings} helpId="weighting-help" />
      {methods[weighting].normalises && (
        <Choose label="Normalisation" name="normalisation" values={tokenNormalisations} choices={normalisations} />
      )}
      <Choose label="Mask" name="mask" values={maskModes} choices={masks} helpId="mask-help" />
      <Choose
        label="Tokenizer"
        name="tokenizer"
        values={tokenizerFlavours}
        choices={tokenizers}
        helpId="tokenizer-help"
      />
      <Count
        label="Clip skip"
        name="clipSkip"
        most={layers + 1}
        title="As A1111 counts: 1 is the last layer, which is no skip. Diffusers’ clip_skip is one less."
      />
      {syntax === 'a1111' && (
        <>
          <Choose label="Brackets" name="brackets" values={optionValues.brackets} choices={bracketChoices} />
          <Choose
            label="Square brackets"
            name="squareFactor"
            values={optionValues.squareFactor}
            choices={squareFactors}
          />
          <Count label="Steps" name="steps" title="Sampling steps, which schedules such as [a:b:0.5] count in." />
          <Count
            label="Comma backtracking"
            name="commaPaddingBacktrack"
            title="A full chunk is split at its last comma if that is no more tokens back than this. A1111’s default is 20; 0 never does."
          />
        </>
      )}
      {syntax === 'compel' && (
        <>
          <Choose label="Long prompts" name="split" values={optionValues.split} choices={splits} />
          <Choose label="EOS of chunks" name="clsTokens" values={optionValues.clsTokens} choices={clsChoices} />
        </>
      )}
      {syntax === 'comfy' && (
        <Choose label="Tokenised" name="comfyUnit" values={comfyUnits} choices={comfyUnitChoices} />
      )}
    </div>
  );
}

type NameOf<T> = { [K in keyof PromptOptions]: PromptOptions[K] extends T ? K : never }[keyof PromptOptions];

interface ChooseProps<K extends NameOf<string>> {
  readonly label: string;
  readonly name: K;
  readonly values: readonly PromptOptions[K][];
  readonly choices: Record<PromptOptions[K], Choice>;
  /** Id of the help beside a picture; without it, the choice's own help is the description. */
  readonly helpId?: string;
}

function Choose<K extends NameOf<string>>({ label, name, values, choices, helpId }: ChooseProps<K>) {
  const value = useFacts((s) => s.options[name]);
  const setOption = useFacts((s) => s.setOption);
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={value}
        title={choices[value].help}
        aria-describedby={helpId}
        onChange={(event) => setOption(name, event.target.value as PromptOptions[K])}
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

interface CountProps {
  readonly label: string;
  readonly name: 'clipSkip' | 'steps' | 'commaPaddingBacktrack';
  readonly most?: number;
  readonly title: string;
}

/**
 * A field for a whole number. Valid input applies at once; otherwise the last valid value stays and a message says so.
 */
function Count({ label, name, most = optionValues[name].most, title }: CountProps) {
  const value = useFacts((s) => s.options[name]);
  const setOption = useFacts((s) => s.setOption);
  const id = useId();
  const [typed, setTyped] = useState<string | null>(null);
  const { least } = optionValues[name];
  const mayBe = (text: string) => text !== '' && isWithin({ least, most }, Number(text));
  const isRefused = typed !== null && !mayBe(typed);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="number"
        min={least}
        max={most}
        step={1}
        value={typed ?? Math.min(value, most)}
        title={title}
        aria-invalid={isRefused || undefined}
        aria-describedby={isRefused ? `${id}-refused` : undefined}
        onChange={({ target }) => {
          setTyped(target.value);
          if (mayBe(target.value)) setOption(name, Number(target.value));
        }}
        onBlur={() => setTyped(null)}
      />
      {isRefused && (
        <p className="refused" id={`${id}-refused`}>
          {label}: a whole number, {least} to {most}. {Math.min(value, most)} stays in use.
        </p>
      )}
    </div>
  );
}

/** Explains a choice, for the panel that shows its effect. */
export function ChoiceHelp({ label, choice }: { label: string; choice: Choice }) {
  return (
    <p className="help" id={`${label.toLowerCase()}-help`}>
      <b>{choice.name}.</b> {choice.help}
    </p>
  );
}
