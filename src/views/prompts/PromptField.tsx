import { type ComponentType, type RefObject, useEffect, useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import type { Side } from '../../prompt/side.ts';
import { countText, tokenCount } from '../../road/study/tokenCount.ts';
import { lazyPart } from '../page/lazyPart.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useReading } from '../page/useReading.ts';
import { Diagnostics } from './Diagnostics.tsx';
import { PlainInput } from './PlainInput.tsx';
import type { PromptHandle, PromptInputProps } from './promptHandle.ts';
import { promptHandles } from './promptHandles.ts';
import styles from './prompts.module.css';

const Networks = lazyPart(async () => (await import('./Networks.tsx')).Networks, { loading: null });

const names: Record<Side, string> = { positive: 'Prompt', negative: 'Negative prompt' };

/** One of the two prompts, with its count of tokens. The messages about it stand elsewhere: see PromptMessages. */
export function PromptField({ side, handle }: { side: Side; handle: RefObject<PromptHandle | null> }) {
  const { reading, isStale } = useReading(side);
  const syntax = useFacts((s) => s.options.syntax);
  const isShown = useFacts((s) => s.side === side);
  const [isUnfolded, setUnfolded] = useState(false);
  // About as long as does not fit any more.
  const isUnfoldable = useFacts((s) => s.prompts[side].length > (side === 'positive' ? 200 : 80)) || isUnfolded;
  const field = useRef<HTMLTextAreaElement>(null);
  const [editor, setEditor] = useState<{
    readonly Editor: ComponentType<PromptInputProps>;
    readonly start: PromptInputProps['start'];
  } | null>(null);

  useEffect(() => {
    promptHandles.set(side, handle);
    return () => {
      promptHandles.delete(side);
    };
  }, [side, handle]);

  useEffect(() => {
    const plain = field.current;
    let isComposing = false;
    let change: (() => void) | null = null;
    const begin = () => {
      isComposing = true;
    };
    // The end of a composition is handled a moment later, when its text has arrived.
    const end = () => {
      isComposing = false;
      setTimeout(() => change?.());
    };
    plain?.addEventListener('compositionstart', begin);
    plain?.addEventListener('compositionend', end);
    import('./editor/PromptEditor.tsx').then(
      ({ PromptEditor }) => {
        change = () => {
          const selection = plain && { start: plain.selectionStart, end: plain.selectionEnd };
          const start = document.activeElement === plain && selection ? { selection } : null;
          // The editor replaces the field at once, so that no key press comes between.
          flushSync(() => setEditor({ Editor: PromptEditor, start }));
        };
        if (!isComposing && plain?.isConnected) change();
      },
      () => {
        // The text field is good enough for typing.
      },
    );
    return () => {
      change = null;
      plain?.removeEventListener('compositionstart', begin);
      plain?.removeEventListener('compositionend', end);
    };
  }, []);

  const count = reading && tokenCount(reading);
  const ids = { labelId: `prompt-${side}-label`, descriptionId: `diagnostics-${side}` };

  return (
    <div
      className={styles.prompt}
      data-side={side}
      data-shown={isShown || undefined}
      data-unfolded={isUnfolded || undefined}
    >
      <div className={styles.head}>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: a label's click goes to its field, which may be the editor's. */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the field itself is reached by keyboard. */}
        <span className={styles.label} id={ids.labelId} onClick={() => handle.current?.focus()}>
          {names[side]}
        </span>
        {count && (
          <span className={styles.count} data-over={count.cut > 0 || undefined} data-stale={isStale || undefined}>
            {countText(count, syntax)}
          </span>
        )}
        {isUnfoldable && (
          <button
            type="button"
            className="link"
            aria-expanded={isUnfolded}
            aria-label={`${isUnfolded ? 'fold' : 'unfold'} the ${names[side].toLowerCase()}`}
            onClick={() => setUnfolded(!isUnfolded)}
          >
            {isUnfolded ? 'fold' : 'unfold'}
          </button>
        )}
      </div>
      <div className="editor">
        {editor ? (
          <editor.Editor side={side} {...ids} start={editor.start} handle={handle} />
        ) : (
          <PlainInput side={side} {...ids} start={null} handle={handle} field={field} />
        )}
      </div>
    </div>
  );
}

/** The networks that a prompt names, and the messages about it. */
export function PromptMessages({ side, handle }: { side: Side; handle: RefObject<PromptHandle | null> }) {
  const { reading, isStale } = useReading(side);
  return (
    // Their places and fixes are those of the text before.
    <div className={styles.messages} inert={isStale} aria-busy={isStale} data-stale={isStale || undefined}>
      {reading && reading.networks.length > 0 && <Networks side={side} networks={reading.networks} />}
      <Diagnostics id={`diagnostics-${side}`} diagnostics={reading?.diagnostics ?? []} prompt={handle} />
    </div>
  );
}
