import { type ComponentType, useMemo } from 'react';
import { stages, type TensorKey } from '../../clip/stages.ts';
import { encodedZ, shownWeighted } from '../../state/encoded.ts';
import { shownText } from '../../state/methodBench.ts';
import { shownChunk } from '../../state/reading.ts';
import { shownConfig, shownLayer } from '../../state/shownSizes.ts';
import { tokenizerOf, tokenLabels } from '../../state/tokenLabels.ts';
import { methodPasses } from '../../weighting/apply.ts';
import { compelMask } from '../../weighting/compelMask.ts';
import { methods } from '../../weighting/methods.ts';
import { Diagram } from '../anatomy/Diagram.tsx';
import { rowOfTensor } from '../anatomy/equations.ts';
import { StageMatrices } from '../anatomy/StageDetail.tsx';
import { States } from '../embeddings/Embeddings.tsx';
import { MaskTrials } from '../masks/lab/MaskLab.tsx';
import { Why } from '../methods/Why.tsx';
import { LabCell } from '../objective/LabCell.tsx';
import { Temperature } from '../objective/LabControls.tsx';
import { LabEquations } from '../objective/LabEquations.tsx';
import { LabMatrix } from '../objective/LabMatrix.tsx';
import { LabStatus } from '../objective/LabStatus.tsx';
import { Training } from '../objective/Objective.tsx';
import { useShownLab } from '../objective/useShownLab.ts';
import { PassProgress } from '../page/PassProgress.tsx';
import { Slider } from '../page/Slider.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { useNeeded } from '../page/useNeeded.ts';
import { Waiting } from '../page/Waiting.tsx';
import { ChunkTokens } from '../tokens/TokenTable.tsx';
import { WeightRows } from '../weights/Weights.tsx';
import styles from './lecture.module.css';
import { type Lesson, type LessonId, lessonHash, lessonOfTensor } from './lessons.ts';

export interface PictureProps {
  readonly lesson: Lesson;
  /** The matrix that is chosen, in lessons that have some. */
  readonly tensor: TensorKey;
  onTensor(tensor: TensorKey): void;
  /** Tokens that are masked as keys. */
  readonly keys: readonly number[];
  onKeys(keys: readonly number[]): void;
}

/** The encoder as a diagram whose boxes lead to their lessons. */
function Pipeline() {
  const layers = useFacts((s) => shownConfig(s).numHiddenLayers);
  const layer = useFacts(shownLayer);
  const show = useFacts((s) => s.show);
  return (
    <div className={styles.pipeline}>
      <Diagram
        shown={rowOfTensor('hidden')}
        layers={layers}
        layer={layer}
        times={null}
        onChoose={({ operation }) => {
          if (operation) location.hash = lessonHash(lessonOfTensor(operation.tensor).id);
        }}
        onLayer={(layer) => show({ layer })}
      />
    </div>
  );
}

const Tokens = () => <ChunkTokens />;

function Weighted() {
  const now = useFacts(shownWeighted);
  const weighted = useLast(now);
  return weighted ? <WeightRows weighted={weighted} stale={!now} /> : <Waiting />;
}

const method = compelMask.name;

/** Compel's sum for the row of the first word that weighs less than 1. */
function DownWeighted() {
  const text = useFacts(shownText);
  const chunk = useFacts(shownChunk);
  const tokenizer = useFacts(tokenizerOf);
  const passes = useMemo(() => (text ? methodPasses(methods[method], text.weighted) : []), [text]);
  useNeeded('lecture', passes);
  const zOf = useFacts((s) => encodedZ(s, passes));
  if (!text || !chunk || !tokenizer) return <Waiting />;
  const { tokens } = chunk.chunk;
  const row = Math.max(
    1,
    tokens.findIndex(({ weight, kind }) => kind === 'text' && weight < 1),
  );
  return (
    <>
      <PassProgress passes={passes} />
      {zOf && (
        <Why
          method={method}
          bench={{ text, zOf }}
          row={chunk.index * tokens.length + row}
          labels={tokenLabels(tokens, tokenizer)}
          titleId="lesson-why-title"
        />
      )}
    </>
  );
}

/** Matrices of the encoder's stages, and the sum behind a cell. */
function StagePicture({ lesson: { tensors = ['hidden'] }, tensor, onTensor }: PictureProps) {
  const layers = useFacts((s) => shownConfig(s).numHiddenLayers);
  const layer = useFacts(shownLayer);
  const show = useFacts((s) => s.show);
  const row = rowOfTensor(tensor);
  const { stage, operation } = row;
  if (!stage || !operation) return null;
  const own = stages.filter(({ operations }) => operations.some((made) => tensors.includes(made.tensor)));
  return (
    <div className={styles.stage}>
      <div className="row">
        {own.length > 1 && (
          <div className="toolbar" role="toolbar" aria-label="Stages">
            {own.map((other) => {
              const made = other.operations.map((each) => each.tensor);
              const first = tensors.find((known) => made.includes(known));
              return (
                <button
                  key={other.key}
                  type="button"
                  className="small"
                  data-part={made.join(' ')}
                  aria-pressed={other === stage}
                  onClick={() => first && onTensor(first)}
                >
                  {other.title}
                </button>
              );
            })}
          </div>
        )}
        {stage.place === 'layer' && (
          <Slider label="Layer" count={layers} value={layer} onChange={(layer) => show({ layer })} />
        )}
      </div>
      <StageMatrices
        row={row}
        stage={stage}
        operation={operation}
        onChoose={(chosen) => chosen.operation && onTensor(chosen.operation.tensor)}
      />
    </div>
  );
}

const Masks = ({ keys, onKeys }: PictureProps) => <MaskTrials keys={keys} onKeys={onKeys} />;

/** The states between the layers, one after the other. */
function Stack() {
  const now = useFacts(shownWeighted);
  const weighted = useLast(now);
  const stage = useFacts((s) => s.stage);
  const layers = useFacts((s) => shownConfig(s).numHiddenLayers);
  const show = useFacts((s) => s.show);
  if (!weighted) return <Waiting />;
  const shown = stage === 'last' ? layers + 1 : Math.min(stage, layers);
  return (
    <div className={styles.stage}>
      <label className={styles.state}>
        <span>{shown > layers ? 'State after the final LayerNorm' : `State after ${shown} of ${layers} layers`}</span>
        <input
          type="range"
          min={0}
          max={layers + 1}
          value={shown}
          aria-valuetext={shown > layers ? 'after the final LayerNorm' : `after ${shown} of ${layers} layers`}
          onChange={({ target: { valueAsNumber } }) => show({ stage: valueAsNumber > layers ? 'last' : valueAsNumber })}
        />
      </label>
      <States weighted={weighted} stale={!now} stage={shown > layers ? 'last' : shown} />
    </div>
  );
}

/** The objective lab's matrix and equations. */
function Objective({ lesson: { id } }: PictureProps) {
  const { shown, ready } = useShownLab();
  return (
    <>
      <Training />
      {id === 'temperature' ? <Temperature shown={shown} /> : <LabStatus />}
      {ready ? (
        <div className={styles.lab}>
          <div>
            <LabMatrix {...ready} />
          </div>
          <div>
            {id === 'temperature' && <LabCell {...ready} />}
            <LabEquations {...ready} />
          </div>
        </div>
      ) : (
        <p className="muted">Making a model</p>
      )}
    </>
  );
}

/** The pictures of the lessons: the page's own panels. The length's is beside its equations, which share its table. */
export const pictures: Readonly<Record<Exclude<LessonId, 'length'>, ComponentType<PictureProps>>> = {
  pipeline: Pipeline,
  tokens: Tokens,
  'pad-mask': Tokens,
  weighting: Weighted,
  'down-weighting': DownWeighted,
  embedding: StagePicture,
  'layer-norm': StagePicture,
  activations: StagePicture,
  attention: StagePicture,
  masks: Masks,
  mlp: StagePicture,
  layer: StagePicture,
  stack: Stack,
  objective: Objective,
  temperature: Objective,
};
