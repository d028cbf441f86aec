import { type PointerEvent, useEffect, useEffectEvent, useMemo, useRef } from 'react';
import type { Diagnostic, Edit } from '../prompt/ast.ts';
import { type Side, sides } from '../state/facts.ts';
import { prepared } from '../state/selectors.ts';
import { cssColour, weightScale } from './color.ts';
import { Options } from './Options.tsx';
import { nothing, type Pointed, pointed, tokenAt, tokenOf, useMarks } from './pointed.ts';
import { promptSegments, tokenAtCaret } from './promptSegments.ts';
import { useDark, useFacts } from './useFacts.ts';

const names: Record<Side, string> = { positive: 'Prompt', negative: 'Negative prompt' };
const shortNames: Record<Side, string> = { positive: 'Positive', negative: 'Negative' };

export function Prompts() {
  const shown = useFacts((s) => s.side);
  const show = useFacts((s) => s.show);
  return (
    <section className="panel" id="prompts" aria-labelledby="prompts-title">
      <header>
        <h2 id="prompts-title">Prompts</h2>
        <fieldset className="segmented">
          <legend>Pictures show</legend>
          {sides.map((side) => (
            <label key={side}>
              <input type="radio" name="side" checked={shown === side} onChange={() => show({ side })} />
              <span>{shortNames[side]}</span>
            </label>
          ))}
        </fieldset>
      </header>
      <div className="prompts">
        {sides.map((side) => (
          <PromptField key={side} side={side} />
        ))}
      </div>
      <Options />
    </section>
  );
}

function applyEdits(prompt: string, edits: readonly Edit[]): string {
  return edits
    .toSorted((a, b) => b.start - a.start)
    .reduce((text, { start, end, insert }) => text.slice(0, start) + insert + text.slice(end), prompt);
}

function PromptField({ side }: { side: Side }) {
  const prompt = useFacts((s) => s.prompts[side]);
  const ready = useFacts((s) => prepared(s, side));
  const isShown = useFacts((s) => s.side === side);
  const setPrompt = useFacts((s) => s.setPrompt);
  const show = useFacts((s) => s.show);
  const text = useRef<HTMLTextAreaElement>(null);
  const tokens = ready?.chunk.tokens ?? [];
  const count = ready ? tokens.filter(({ kind }) => kind === 'text').length + ready.cut.length : null;
  const room = tokens.length - 2;

  const atCaret = useRef<Pointed | null>(null);
  const followCaret = useEffectEvent(() => {
    const field = text.current;
    if (!field || !isShown || document.activeElement !== field) return;
    const index = tokenAtCaret(tokens, field.selectionStart);
    atCaret.current = index === null ? nothing : tokenAt(index);
    pointed.rest(atCaret.current);
  });
  // After what was typed has become tokens.
  useEffect(() => {
    if (ready) followCaret();
  }, [ready]);
  // The text lies over its tinted copy, so the token is looked for below the pointer, not at the event's target.
  const followPointer = ({ clientX, clientY }: PointerEvent) => {
    if (!isShown) return;
    const below = document
      .elementsFromPoint(clientX, clientY)
      .find((element) => element.matches('.tinted [data-token]'));
    const index = tokenOf(below ?? null);
    pointed.over(index === null ? null : tokenAt(index));
  };
  const select = ({ start, end }: Diagnostic) => {
    text.current?.focus();
    text.current?.setSelectionRange(start, end);
  };

  return (
    <div className="prompt" data-shown={isShown || undefined}>
      <div className="head">
        <label htmlFor={`prompt-${side}`}>{names[side]}</label>
        {count !== null && (
          <span className="count" data-over={count > room || undefined}>
            {count} / {room} tokens
          </span>
        )}
      </div>
      <div className="editor">
        <Tinted side={side} />
        <textarea
          id={`prompt-${side}`}
          ref={text}
          value={prompt}
          spellCheck={false}
          autoComplete="off"
          aria-describedby={`diagnostics-${side}`}
          onChange={(event) => {
            setPrompt(side, event.target.value);
            show({ side });
          }}
          // Working in a prompt shows it; passing through with the Tab key does not.
          onPointerDown={() => show({ side })}
          onKeyDown={({ key }) => /^(Arrow|Home|End|Page)/.test(key) && show({ side })}
          onSelect={() => followCaret()}
          onBlur={() => pointed.leave(atCaret.current)}
          onPointerMove={followPointer}
          onPointerLeave={() => pointed.over(null)}
        />
      </div>
      <ul className="diagnostics" id={`diagnostics-${side}`}>
        {ready?.diagnostics.map((diagnostic) => (
          <li key={`${diagnostic.code} ${diagnostic.start}`} data-severity={diagnostic.severity}>
            <span>{diagnostic.message}</span>
            <span className="actions">
              {diagnostic.end > diagnostic.start && (
                <button type="button" className="small" onClick={() => select(diagnostic)}>
                  Show
                </button>
              )}
              {diagnostic.fix && (
                <button
                  type="button"
                  className="small"
                  onClick={() => {
                    setPrompt(side, applyEdits(prompt, diagnostic.fix?.edits ?? []));
                    text.current?.focus();
                  }}
                >
                  {diagnostic.fix.label}
                </button>
              )}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The prompt once more, behind the text: tokens underlined, tinted by weight, marked when pointed at. */
function Tinted({ side }: { side: Side }) {
  const prompt = useFacts((s) => s.prompts[side]);
  const ready = useFacts((s) => prepared(s, side));
  const isShown = useFacts((s) => s.side === side);
  const dark = useDark();
  const layer = useRef<HTMLDivElement>(null);
  const segments = useMemo(() => promptSegments(prompt, ready?.chunk.tokens ?? [], ready?.cut ?? []), [prompt, ready]);
  const scale = useMemo(() => weightScale(dark), [dark]);
  useMarks(layer);
  return (
    <div className="tinted" ref={layer} aria-hidden="true">
      {segments.map(({ text, token, weight, cut }, i) => (
        <span
          key={i}
          className={cut ? 'cut' : token === null ? undefined : token % 2 ? 'token odd' : 'token'}
          data-token={isShown && token !== null ? token : undefined}
          style={weight === 1 ? undefined : { backgroundColor: cssColour(scale, weight) }}
        >
          {text}
        </span>
      ))}
      {/* A last line that is empty has height only with something in it. */}
      {'\u200b'}
    </div>
  );
}
