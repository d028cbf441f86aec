import { guessSyntax } from '../../prompt/across/guessSyntax.ts';
import { type Side, sides } from '../../prompt/side.ts';
import { programs, type Syntax, syntaxes } from '../../prompt/syntax.ts';
import { prepared } from '../../state/reading.ts';

import { Segmented } from '../page/Segmented.tsx';
import { useFacts } from '../page/useFacts.ts';
import { syntaxChoices } from './choices.ts';
import { Options } from './Options.tsx';
import { PromptField } from './PromptField.tsx';
import { PromptTools } from './PromptTools.tsx';
import { Replaced } from './Replaced.tsx';
import { Schedule } from './Schedule.tsx';

const shortNames: Record<Side, string> = { positive: 'Positive', negative: 'Negative' };

export function Prompts() {
  const shown = useFacts((s) => s.side);
  const show = useFacts((s) => s.show);
  const syntax = useFacts((s) => s.options.syntax);
  const setOption = useFacts((s) => s.setOption);
  return (
    <section className="panel" id="prompts" aria-labelledby="prompts-title">
      <header>
        <h2 id="prompts-title">Prompts</h2>
        <select
          aria-label="Written for"
          title={syntaxChoices[syntax].help}
          value={syntax}
          onChange={(event) => setOption('syntax', event.target.value as Syntax)}
        >
          {syntaxes.map((name) => (
            <option key={name} value={name}>
              {syntaxChoices[name].name}
            </option>
          ))}
        </select>
        <Segmented
          legend="Pictures show"
          name="side"
          choices={sides.map((side) => ({ value: side, label: shortNames[side] }))}
          value={shown}
          onChange={(side) => show({ side })}
        />
      </header>
      <Replaced />
      <OtherLanguage />
      <div className="prompts">
        {sides.map((side) => (
          <PromptField key={side} side={side} />
        ))}
      </div>
      <Schedule />
      <PromptTools />
      <Options />
    </section>
  );
}

/** Offers to switch to another language if the prompts look as if they were written in it. */
function OtherLanguage() {
  const setOption = useFacts((s) => s.setOption);
  const diagnostics = useFacts((s) => prepared(s, s.side)?.diagnostics);
  const looksLike = diagnostics && guessSyntax(diagnostics)?.syntax;
  return looksLike ? (
    <p className="other-language">
      <span>This looks written for {programs[looksLike]}.</span>
      <button type="button" className="small" onClick={() => setOption('syntax', looksLike)}>
        Read it as {programs[looksLike]}
      </button>
    </p>
  ) : null;
}
