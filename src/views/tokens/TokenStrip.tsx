import { memo, useEffect, useMemo, useRef } from 'react';
import type { PreparedChunk, PreparedPrompt, PreparedText } from '../../road/preparedPrompt.ts';
import { isUnknown } from '../../road/study/knownWords.ts';
import { tokenLabel } from '../../state/tokenLabels.ts';
import type { PromptToken, TokenChunk } from '../../tokens/promptTokens.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { brief } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import { type ColourScale, cssColour } from '../pictures/color.ts';
import { pointsAtTokens, useMarks } from '../pictures/pointed.ts';
import styles from './strip.module.css';
import tokensStyles from './tokens.module.css';
import { UnknownMark } from './UnknownMark.tsx';

/** Most chunks that are drawn at once: the page stays quick with hundreds of them. */
const mostChunks = 24;
/** Most tokens that are listed as cut off. */
const mostCut = 200;

interface TokenStripProps {
  readonly prepared: PreparedPrompt;
  readonly shown: PreparedChunk;
  readonly tokenizer: Tokenizer;
  readonly scale: ColourScale;
}

/**
 * Shows the encoded tokens, a line for each chunk, and lets the person choose the chunk that the pictures show. Of a prompt of
 * very many chunks it shows those around that one, and leads on to the others.
 */
export function TokenStrip({ prepared, shown, tokenizer, scale }: TokenStripProps) {
  const show = useFacts((s) => s.show);
  const knownIds = useFacts((s) => s.model?.knownIds);
  const strip = useRef<HTMLFieldSetElement>(null);
  useMarks(strip);
  const { text: shownText, index: shownIndex } = shown;
  // The chunk is scrolled into sight within the strip; the page stays in place.
  useEffect(() => {
    const frame = strip.current;
    const chunk = frame?.querySelector<HTMLElement>('[data-shown]');
    if (!frame || !chunk) return;
    const above = chunk.offsetTop - frame.scrollTop;
    const below = above + chunk.offsetHeight - frame.clientHeight;
    if (above < 0 || chunk.offsetHeight > frame.clientHeight) frame.scrollTop += above;
    else if (below > 0) frame.scrollTop += below;
  }, [shownText, shownIndex]);
  const { chunks, texts } = prepared;
  const shownAt = chunks.findIndex(({ text, index }) => text === shownText && index === shownIndex);
  const first = mostChunks * Math.floor(shownAt / mostChunks);
  return (
    <fieldset className={styles.strip} ref={strip} {...pointsAtTokens}>
      <legend className="visually-hidden">Chunk shown</legend>
      <OtherChunks from={first - mostChunks} count={chunks.length} />
      {chunks.slice(first, first + mostChunks).map(({ chunk, text, index }, i) => {
        const at = first + i;
        const isShown = text === shown.text && index === shown.index;
        const words = chunk.tokens.filter(({ kind }) => kind === 'text').length;
        const isLast = index === texts[text].chunks.length - 1;
        const name = chunks.length > 1 ? `Chunk ${at + 1}` : 'Chunk';
        return (
          <div key={at} className={styles.stripChunk} data-shown={isShown || undefined}>
            {index === 0 && <TextHeading text={texts[text]} />}
            <label>
              <input
                type="radio"
                name="chunk"
                aria-labelledby={`chunk-${at}`}
                checked={isShown}
                onChange={() => show({ chunk: at })}
              />
              <span className={styles.stripName} id={`chunk-${at}`}>
                {name}{' '}
                <span className="muted">
                  {words}/{chunk.tokens.length - 2}
                </span>
              </span>
              <StripTokens
                chunk={chunk}
                applied={texts[text].applied[index]}
                isShown={isShown}
                tokenizer={tokenizer}
                knownIds={knownIds}
                scale={scale}
              />
            </label>
            {isLast && <CutTokens cut={texts[text].cut} tokenizer={tokenizer} />}
          </div>
        );
      })}
      <OtherChunks from={first + mostChunks} count={chunks.length} />
    </fieldset>
  );
}

/** Leads to chunks that are not drawn, from `from` on; nothing where there are none. */
function OtherChunks({ from, count }: { readonly from: number; readonly count: number }) {
  const show = useFacts((s) => s.show);
  if (from < 0 || from >= count) return null;
  const end = Math.min(from + mostChunks, count);
  return (
    <button type="button" className="small" onClick={() => show({ chunk: from })}>
      {end > from + 1 ? `Show chunks ${from + 1} to ${end} of ${count}` : `Show chunk ${end} of ${count}`}
    </button>
  );
}

const operators = {
  AND: 'AND part, guidance ×',
  and: '.and() part, weight',
  blend: '.blend() part, weight',
} as const;

/** Says which part of the prompt a text is. */
function TextHeading({ text: { operator, weight } }: { text: PreparedText }) {
  return operator ? (
    <p className="muted small">
      {operators[operator]} {brief(weight)}
    </p>
  ) : null;
}

interface StripTokensProps {
  readonly chunk: TokenChunk;
  /** [L] The weights that the method applies. */
  readonly applied: Float64Array;
  readonly isShown: boolean;
  readonly tokenizer: Tokenizer;
  readonly knownIds: ReadonlySet<number> | undefined;
  readonly scale: ColourScale;
}

/** Memoised by the chunk's tokens and weights: an edit of a long prompt changes only one or two chunks. */
const StripTokens = memo(function StripTokens({
  chunk,
  applied,
  isShown,
  tokenizer,
  knownIds,
  scale,
}: StripTokensProps) {
  const labels = useMemo(() => chunk.tokens.map((token) => tokenLabel(token, tokenizer)), [chunk, tokenizer]);
  return (
    <span className={styles.stripTokens}>
      {chunk.tokens.map((token, i) =>
        token.kind === 'text' ? (
          <span
            key={i}
            className={token.text.endsWith('</w>') ? styles.stripToken : `${styles.stripToken} ${styles.part}`}
            data-token={isShown ? i : undefined}
            title={titleOf(token, applied[i], isUnknown(token, knownIds))}
            style={applied[i] === 1 ? undefined : { backgroundColor: cssColour(scale, applied[i]) }}
          >
            {labels[i]}
            {isUnknown(token, knownIds) && <UnknownMark />}
          </span>
        ) : null,
      )}
    </span>
  );
}, looksSame);

function titleOf({ text, vector, id, weight }: PromptToken, applied: number, unknown: boolean): string {
  const known = unknown ? '; not in this model’s world: it never learnt this word' : '';
  return `${text}, ${vector ? '' : `id ${id}, `}${weightText(weight, applied)}${known}`;
}

function weightText(typed: number, applied: number): string {
  return typed === applied ? `weight ${typed}` : `weight ${typed}, applied as ${applied}`;
}

function looksSame(a: StripTokensProps, b: StripTokensProps): boolean {
  const isEqual = (x: ArrayLike<number>, y: ArrayLike<number>) => Array.prototype.every.call(x, (v, i) => v === y[i]);
  return (
    a.isShown === b.isShown &&
    a.tokenizer === b.tokenizer &&
    a.knownIds === b.knownIds &&
    a.scale === b.scale &&
    isEqual(a.applied, b.applied) &&
    (a.chunk === b.chunk ||
      (a.chunk.inputIds.length === b.chunk.inputIds.length &&
        isEqual(a.chunk.inputIds, b.chunk.inputIds) &&
        isEqual(a.chunk.perTokenWeights, b.chunk.perTokenWeights)))
  );
}

function CutTokens({ cut, tokenizer }: { cut: readonly PromptToken[]; tokenizer: Tokenizer }) {
  if (cut.length === 0) return null;
  return (
    <div className={tokensStyles.cutOff}>
      <p>
        {cut.length === 1
          ? 'One more token does not fit and has no effect:'
          : `${cut.length} more tokens do not fit and have no effect:`}
      </p>
      <ul>
        {cut.slice(0, mostCut).map((token, i) => (
          <li key={i} title={`${token.text}, id ${token.id}`}>
            {tokenLabel(token, tokenizer)}
          </li>
        ))}
        {cut.length > mostCut && <li className="muted">and {cut.length - mostCut} more</li>}
      </ul>
    </div>
  );
}
