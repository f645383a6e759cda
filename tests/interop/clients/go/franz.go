package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

type franz struct {
	bootstrap string
	client    *kgo.Client
	adm       *kadm.Client
}

func newFranz(bootstrap string) client {
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		panic(err)
	}
	return &franz{bootstrap, c, kadm.NewClient(c)}
}

func limit() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func (f *franz) send(topic, codec string, records []record) ([]string, error) {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	c, err := kgo.NewClient(kgo.SeedBrokers(f.bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[codec]), kgo.ProducerLinger(200*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var all []*kgo.Record
	for _, r := range records {
		k := &kgo.Record{Topic: topic, Partition: r.partition, Timestamp: time.UnixMilli(r.timestamp), Key: r.key, Value: r.value}
		for _, h := range r.headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: string(h.name), Value: h.value})
		}
		all = append(all, k)
	}
	var out []string
	for _, told := range c.ProduceSync(limit(), all...) {
		if told.Err != nil {
			return nil, told.Err
		}
		out = append(out, fmt.Sprintf("%d %d", told.Record.Partition, told.Record.Offset))
	}
	return out, nil
}

func (f *franz) read(topics []string) ([]record, error) {
	ends, err := f.adm.ListEndOffsets(limit(), topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	from := map[string]map[int32]kgo.Offset{}
	open := 0
	ends.Each(func(o kadm.ListedOffset) {
		if from[o.Topic] == nil {
			from[o.Topic] = map[int32]kgo.Offset{}
		}
		from[o.Topic][o.Partition] = kgo.NewOffset().AtStart()
		if o.Offset > 0 {
			open++
		}
	})
	c, err := kgo.NewClient(kgo.SeedBrokers(f.bootstrap), kgo.ConsumePartitions(from))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var out []record
	for ctx := limit(); open > 0; {
		fetched := c.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			return nil, err
		}
		fetched.EachRecord(func(k *kgo.Record) {
			r := record{k.Topic, k.Partition, k.Offset, k.Timestamp.UnixMilli(), k.Key, k.Value, nil}
			for _, h := range k.Headers {
				r.headers = append(r.headers, header{[]byte(h.Key), h.Value})
			}
			out = append(out, r)
			if end, _ := ends.Lookup(k.Topic, k.Partition); k.Offset == end.Offset-1 {
				open--
			}
		})
	}
	return out, nil
}

func (f *franz) times(topic string, timestamps []int64) ([]string, error) {
	var out []string
	ends, err := f.adm.ListEndOffsets(limit(), topic)
	if err != nil {
		return nil, err
	}
	for _, t := range timestamps {
		found, err := f.adm.ListOffsetsAfterMilli(limit(), t, topic)
		if err == nil {
			err = found.Error()
		}
		if err != nil {
			return nil, err
		}
		for p := int32(0); p < int32(len(found[topic])); p++ {
			o, _ := found.Lookup(topic, p)
			// where there is none the client gives the end, without a time
			if end, _ := ends.Lookup(topic, p); o.Offset == end.Offset && o.Timestamp == -1 {
				o.Offset = -1
			}
			out = append(out, fmt.Sprintf("%d %d %d", p, t, o.Offset))
		}
	}
	return out, nil
}

func (f *franz) describe(topic string) ([]string, error) {
	m, err := f.adm.Metadata(limit(), topic)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range m.Topics[topic].Partitions.Sorted() {
		out = append(out, described(p.Partition, p.Leader, p.Replicas, p.ISR))
	}
	return out, m.Topics[topic].Err
}

func (f *franz) configs(topic string) ([]string, error) {
	all, err := f.adm.DescribeTopicConfigs(limit(), topic)
	if err != nil {
		return nil, err
	}
	r, err := all.On(topic, nil)
	if err == nil {
		err = r.Err
	}
	var out []string
	for _, name := range shown {
		for _, c := range r.Configs {
			if c.Key == name {
				out = append(out, name+"="+c.MaybeValue())
			}
		}
	}
	return out, err
}

func (f *franz) admin(topic, thing string) ([]string, error) {
	text := func(s string) *string { return &s }
	switch thing {
	case "create":
		configs := map[string]*string{"retention.ms": text(first), "segment.bytes": text(size)}
		if _, err := f.adm.CreateTopic(limit(), 2, 1, configs, topic); err != nil {
			return nil, err
		}
		_, err := f.adm.CreateTopic(limit(), 2, 1, configs, topic)
		var code *kerr.Error
		if !errors.As(err, &code) {
			return nil, fmt.Errorf("created twice: %w", err)
		}
		return []string{fmt.Sprintf("create again: error %d", code.Code)}, nil
	case "describe":
		return f.describe(topic)
	case "partitions":
		told, err := f.adm.UpdatePartitions(limit(), 3, topic)
		if err == nil {
			err = told.Error()
		}
		if err != nil {
			return nil, err
		}
		return f.describe(topic)
	case "configs":
		before, err := f.configs(topic)
		if err != nil {
			return nil, err
		}
		told, err := f.adm.AlterTopicConfigs(limit(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: text(second)}}, topic)
		if err == nil {
			err = told[0].Err
		}
		if err != nil {
			return nil, err
		}
		after, err := f.configs(topic)
		return append(before, after...), err
	case "cluster":
		m, err := f.adm.BrokerMetadata(limit())
		if err != nil {
			return nil, err
		}
		sort.Slice(m.Brokers, func(a, b int) bool { return m.Brokers[a].NodeID < m.Brokers[b].NodeID })
		out := []string{fmt.Sprintf("controller %d", m.Controller)}
		for _, b := range m.Brokers {
			out = append(out, fmt.Sprintf("node %d %s:%d", b.NodeID, b.Host, b.Port))
		}
		return out, nil
	case "delete":
		told, err := f.adm.DeleteTopics(limit(), topic)
		if err == nil {
			err = told.Error()
		}
		if err != nil {
			return nil, err
		}
		left, err := f.adm.ListTopics(limit())
		if left.Has(topic) {
			return []string{"listed"}, err
		}
		return []string{"gone"}, err
	}
	return nil, fmt.Errorf("nothing of that name")
}

func (f *franz) trim(topic string, to int64) ([]string, error) {
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, to, -1)
	told, err := f.adm.DeleteRecords(limit(), offsets)
	if err == nil {
		err = told.Error()
	}
	if err != nil {
		return nil, err
	}
	low, _ := told.Lookup(topic, 0)
	starts, err := f.adm.ListStartOffsets(limit(), topic)
	if err != nil {
		return nil, err
	}
	ends, err := f.adm.ListEndOffsets(limit(), topic)
	if err != nil {
		return nil, err
	}
	start, _ := starts.Lookup(topic, 0)
	end, _ := ends.Lookup(topic, 0)
	return []string{fmt.Sprintf("low %d", low.LowWatermark), fmt.Sprintf("start %d", start.Offset),
		fmt.Sprintf("end %d", end.Offset)}, nil
}
