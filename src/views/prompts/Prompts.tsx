import { useEffect, useRef, useState } from 'react';
import { guessSyntax } from '../../prompt/across/guessSyntax.ts';
import { type Side, sides } from '../../prompt/side.ts';
import { programs, type Syntax, syntaxes } from '../../prompt/syntax.ts';
import { countText, tokenCount } from '../../road/study/tokenCount.ts';
import { prepared } from '../../state/reading.ts';
import { standsAlone } from '../../state/view.ts';
import { Announcement } from '../page/Announcement.tsx';
import { showBelowTop } from '../page/belowTop.ts';
import { Guarded } from '../page/Guarded.tsx';
import { Hideable } from '../page/Hideable.tsx';
import { lazyPart } from '../page/lazyPart.tsx';
import { Segmented } from '../page/Segmented.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { ViewMenu } from '../page/ViewMenu.tsx';
import { PromptTokens } from '../tokens/PromptTokens.tsx';
import { syntaxChoices } from './choices.ts';
import { LazyVariants } from './LazyVariants.tsx';
import { OptionsInShort } from './OptionsInShort.tsx';
import { PromptField, PromptMessages } from './PromptField.tsx';
import { OpenTool, PromptToolbar, type Tool } from './PromptTools.tsx';
import type { PromptHandle } from './promptHandle.ts';
import styles from './prompts.module.css';
import { Replaced } from './Replaced.tsx';

const Options = lazyPart(async () => (await import('./Options.tsx')).Options);
const Schedule = lazyPart(async () => (await import('./Schedule.tsx')).Schedule, {
  isNeeded: (s) => prepared(s, s.side)?.texts.some(({ steps }) => steps.length > 1) ?? false,
  loading: null,
});
const TextualInversions = lazyPart(async () => (await import('./TextualInversions.tsx')).TextualInversions, {
  isNeeded: (s) => s.embeddings.length > 0,
  loading: null,
});

const shortNames: Record<Side, string> = { positive: 'Positive', negative: 'Negative' };

export function Prompts() {
  const shown = useFacts((s) => s.side);
  const show = useFacts((s) => s.show);
  const syntax = useFacts((s) => s.options.syntax);
  const setOption = useFacts((s) => s.setOption);
  const positive = useRef<PromptHandle>(null);
  const negative = useRef<PromptHandle>(null);
  const handles = { positive, negative };
  const [areOptionsOpen, setOptionsOpen] = useState(false);
  const isAlone = useFacts((s) => standsAlone(s.view));
  const hidden = useFacts((s) => s.parts.hidden);
  const [tool, setTool] = useState<Tool | null>(null);
  const opened = useRef<HTMLDivElement>(null);
  // The buttons stay in sight when the page is scrolled; what they open does not.
  useEffect(() => {
    if ((tool || areOptionsOpen) && opened.current) showBelowTop(opened.current);
  }, [tool, areOptionsOpen]);
  return (
    <>
      <section className={styles.top} id="prompts" aria-labelledby="prompts-title">
        <h2 id="prompts-title" className="visually-hidden">
          Prompts
        </h2>
        <div className={styles.topEditors} hidden={isAlone || hidden.has('prompts')}>
          <div className={styles.prompts}>
            {sides.map((side) => (
              <Guarded key={side} name={`the ${side} prompt’s field`}>
                <PromptField side={side} handle={handles[side]} />
              </Guarded>
            ))}
          </div>
          <div className={styles.topTools} hidden={hidden.has('tools')}>
            <Guarded name="the tools of the prompts">
              <div className="toolbar">
                <label className="field inline">
                  <span>Read as</span>
                  <select value={syntax} onChange={(event) => setOption('syntax', event.target.value as Syntax)}>
                    {syntaxes.map((name) => (
                      <option key={name} value={name}>
                        {syntaxChoices[name].name}
                      </option>
                    ))}
                  </select>
                </label>
                <OptionsInShort isOpen={areOptionsOpen} onToggle={() => setOptionsOpen(!areOptionsOpen)} />
                <Segmented
                  legend="Show below"
                  name="side"
                  choices={sides.map((side) => ({ value: side, label: shortNames[side] }))}
                  value={shown}
                  onChange={(side) => show({ side })}
                />
              </div>
              <PromptToolbar open={tool} onOpen={setTool} />
            </Guarded>
          </div>
        </div>
        <CountsInShort />
        <div className={styles.topStrip} id="strip">
          <div hidden={isAlone || hidden.has('strip')}>
            <Guarded name="the token strip">
              <PromptTokens />
            </Guarded>
          </div>
          <Hideable part="menu">
            <ViewMenu />
          </Hideable>
        </div>
      </section>
      <div className={styles.underTop} hidden={isAlone}>
        <Guarded name="the notes about the prompts">
          <Replaced />
          <OtherLanguage />
        </Guarded>
        {sides.map((side) => (
          <Guarded key={side} name={`the messages about the ${side} prompt`}>
            <PromptMessages side={side} handle={handles[side]} />
          </Guarded>
        ))}
        <Guarded name="the schedule">
          <Schedule />
        </Guarded>
        <Guarded name="the variants">
          <LazyVariants />
        </Guarded>
        <Guarded name="the textual inversions">
          <TextualInversions />
        </Guarded>
        <div className={styles.opened} ref={opened}>
          <Guarded name="this tool">
            <OpenTool open={tool} onClose={() => setTool(null)} />
          </Guarded>
          <Guarded name="the options">{areOptionsOpen && <Options />}</Guarded>
        </div>
      </div>
    </>
  );
}

/** Says how long the prompt on show is, when typing rests; the answer, where it is on show, says more. */
function CountsInShort() {
  // A long prompt is read in slices, and what was told of it stays until then.
  const shown = useLast(useFacts((s) => prepared(s, s.side)));
  const syntax = useFacts((s) => s.options.syntax);
  const isAnswerShown = useFacts((s) => s.view === 'answer');
  if (!shown || isAnswerShown) return null;
  const messages = shown.diagnostics.length;
  const told = messages === 0 ? '' : messages === 1 ? ', 1 message' : `, ${messages} messages`;
  return <Announcement label="Prompt in short" text={`${countText(tokenCount(shown), syntax)}${told}`} />;
}

/** Offers to switch to another language if the prompts look as if they were written in it. */
function OtherLanguage() {
  const setOption = useFacts((s) => s.setOption);
  const diagnostics = useFacts((s) => prepared(s, s.side)?.diagnostics);
  const looksLike = diagnostics && guessSyntax(diagnostics)?.syntax;
  return looksLike ? (
    <p className={styles.otherLanguage}>
      <span>This looks written for {programs[looksLike]}.</span>
      <button type="button" className="small" onClick={() => setOption('syntax', looksLike)}>
        Read it as {programs[looksLike]}
      </button>
    </p>
  ) : null;
}
