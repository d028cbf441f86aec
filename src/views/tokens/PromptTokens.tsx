import { useMemo } from 'react';
import { prepared, shownChunk } from '../../state/reading.ts';
import { useDark, useFacts } from '../page/useFacts.ts';
import { weightScale } from '../pictures/color.ts';
import styles from './strip.module.css';
import { TokenStrip } from './TokenStrip.tsx';

/** The tokens of the prompt on show, which stay in sight of every view; or why there are none. */
export function PromptTokens() {
  const shown = useFacts((s) => prepared(s, s.side));
  const shownRow = useFacts(shownChunk);
  const tokenizer = useFacts((s) => s.tokenizer);
  const loadTokenizer = useFacts((s) => s.loadTokenizer);
  const dark = useDark();
  const scale = useMemo(() => weightScale(dark), [dark]);
  if (tokenizer.phase === 'failed')
    return (
      <div className="notice" data-severity="error" role="alert">
        <span>{tokenizer.message}</span>
        <button type="button" onClick={() => void loadTokenizer()}>
          Try again
        </button>
      </div>
    );
  if (tokenizer.phase !== 'ready' || !shown || !shownRow)
    return <p className={`${styles.strip} muted`}>Loading the vocabulary</p>;
  if (shown.refusal) return <p className={styles.strip}>{shown.refusal}</p>;
  return <TokenStrip prepared={shown} shown={shownRow} tokenizer={tokenizer.tokenizer} scale={scale} />;
}
