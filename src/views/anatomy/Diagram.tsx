import { type Stage, stages, type TensorKey } from '../../clip/stages.ts';
import type { ProfiledGroup } from '../../engine/profile.ts';
import type { MappedRow } from '../../road/lecture.ts';
import { moveFocus } from '../page/roving.ts';
import { Slider } from '../page/Slider.tsx';
import styles from './anatomy.module.css';
import { rowOfTensor } from './equations.ts';

/** A box of the diagram: it stands for some of a stage's matrices, and shows the first. */
interface Box {
  readonly label: string;
  readonly tensors: readonly [TensorKey, ...TensorKey[]];
  /** True for the sums, which lie on the residual stream itself. */
  readonly isSum?: boolean;
  /** True where the kernel of the box above does this, too: its time is there. */
  readonly isAlsoAbove?: boolean;
}

const before: readonly Box[] = [{ label: 'Embeddings', tensors: ['hidden', 'token_embedding', 'position_embedding'] }];
const layer: readonly Box[] = [
  { label: 'LayerNorm 1', tensors: ['layer_norm1'] },
  { label: 'Q  K  V', tensors: ['q', 'k', 'v'] },
  { label: 'Attention', tensors: ['probabilities', 'scores', 'masked_scores', 'attended'] },
  { label: 'Output projection', tensors: ['out_proj'] },
  { label: 'First residual sum', tensors: ['residual1'], isSum: true, isAlsoAbove: true },
  { label: 'LayerNorm 2', tensors: ['layer_norm2'] },
  { label: 'fc₁', tensors: ['fc1'] },
  { label: 'QuickGELU', tensors: ['quick_gelu'], isAlsoAbove: true },
  { label: 'fc₂', tensors: ['fc2'] },
  { label: 'Second residual sum', tensors: ['residual2'], isSum: true, isAlsoAbove: true },
];
const after: readonly Box[] = [{ label: 'Final LayerNorm', tensors: ['last_hidden_state'] }];

interface DiagramProps {
  readonly shown: MappedRow;
  readonly layers: number;
  /** From 0. */
  readonly layer: number;
  /** Times by stage, where they were measured. */
  readonly times: ReadonlyMap<string, ProfiledGroup> | null;
  onChoose(row: MappedRow): void;
  onLayer(layer: number): void;
}

/** The encoder from tokens to conditioning; every box shows its stage. */
export function Diagram({ shown, layers, layer: shownLayer, times, onChoose, onLayer }: DiagramProps) {
  const boxes = (list: readonly Box[]) =>
    list.map((box) => (
      <BoxButton
        key={box.label}
        box={box}
        shown={shown}
        time={box.isAlsoAbove ? undefined : times?.get(stageOf(box).key)}
        onChoose={onChoose}
      />
    ));
  return (
    <div
      className={styles.diagram}
      role="toolbar"
      aria-label="Stages of the encoder"
      aria-orientation="vertical"
      onKeyDown={(event) => moveFocus(event, 'button')}
    >
      <a className={styles.end} href="#tokens" data-part="tokens">
        Tokens
      </a>
      <div className={styles.stream}>{boxes(before)}</div>
      <div className={styles.layer} data-part="layer">
        <Slider label="Layer" count={layers} value={shownLayer} onChange={onLayer} />
        <div className={styles.stream}>{boxes(layer)}</div>
      </div>
      <div className={styles.stream}>{boxes(after)}</div>
      <a className={styles.end} href="#embeddings" data-part="conditioning">
        Weights, then the U-Net
      </a>
    </div>
  );
}

function stageOf({ tensors: [tensor] }: Box): Stage {
  return stages.find(({ operations }) => operations.some((operation) => operation.tensor === tensor))!;
}

interface BoxButtonProps extends Pick<DiagramProps, 'shown' | 'onChoose'> {
  readonly box: Box;
  readonly time: ProfiledGroup | undefined;
}

function BoxButton({ box, shown, time, onChoose }: BoxButtonProps) {
  const { label, tensors, isSum } = box;
  const isShown = shown.operation !== undefined && tensors.includes(shown.operation.tensor);
  const isFirst = tensors[0] === 'hidden';
  const share = time?.share ?? null;
  return (
    <button
      type="button"
      className={isSum ? `${styles.box} ${styles.sum}` : styles.box}
      data-part={tensors[0]}
      aria-pressed={isShown}
      aria-label={isSum ? `+, ${label.toLowerCase()}` : undefined}
      tabIndex={isShown || (shown.operation === undefined && isFirst) ? 0 : -1}
      onClick={() => onChoose(rowOfTensor(tensors[0]))}
    >
      {isSum ? '+' : label}
      {share !== null && (
        <>
          <span className={styles.share}>{(100 * share).toFixed(1)} %</span>
          <i className={styles.time} style={{ inlineSize: `${100 * share}%` }} />
        </>
      )}
    </button>
  );
}
