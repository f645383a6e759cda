package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"sort"
	"time"

	"github.com/IBM/sarama"
)

type ibm struct {
	bootstrap string
}

func newSarama(bootstrap string) client {
	sarama.Logger = log.New(io.Discard, "", 0)
	return &ibm{bootstrap}
}

func settings() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes = true
	c.Producer.Flush.Frequency = 200 * time.Millisecond
	return c
}

// Sarama has no null but a nil interface.
func encoder(b []byte) sarama.Encoder {
	if b == nil {
		return nil
	}
	return sarama.ByteEncoder(b)
}

func (s *ibm) send(topic, codec string, records []record) ([]string, error) {
	c := settings()
	if err := c.Producer.Compression.UnmarshalText([]byte(codec)); err != nil {
		return nil, err
	}
	p, err := sarama.NewSyncProducer([]string{s.bootstrap}, c)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var all []*sarama.ProducerMessage
	for _, r := range records {
		m := &sarama.ProducerMessage{Topic: topic, Partition: r.partition, Timestamp: time.UnixMilli(r.timestamp),
			Key: encoder(r.key), Value: encoder(r.value)}
		for _, h := range r.headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: h.name, Value: h.value})
		}
		all = append(all, m)
	}
	if err := p.SendMessages(all); err != nil {
		var each sarama.ProducerErrors
		if errors.As(err, &each) {
			err = fmt.Errorf("%w The first: %w", err, each[0].Err)
		}
		return nil, err
	}
	var out []string
	for _, m := range all {
		out = append(out, fmt.Sprintf("%d %d", m.Partition, m.Offset))
	}
	return out, nil
}

type part struct {
	sarama.PartitionConsumer
	name string
	end  int64
}

// open begins with all partitions of the topic that have records as of now.
func open(c sarama.Client, k sarama.Consumer, topic string) ([]part, error) {
	partitions, err := c.Partitions(topic)
	if err != nil {
		return nil, err
	}
	var out []part
	for _, p := range partitions {
		end, err := c.GetOffset(topic, p, sarama.OffsetNewest)
		if err != nil {
			return nil, err
		}
		if end == 0 {
			continue
		}
		consumer, err := k.ConsumePartition(topic, p, sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		out = append(out, part{consumer, fmt.Sprintf("%s %d", topic, p), end})
	}
	return out, nil
}

func (p part) read() ([]record, error) {
	var out []record
	for patience := time.After(60 * time.Second); ; {
		select {
		case <-patience:
			return nil, fmt.Errorf("%s: %d of %d came", p.name, len(out), p.end)
		case m := <-p.Messages():
			r := record{m.Topic, m.Partition, m.Offset, m.Timestamp.UnixMilli(), m.Key, m.Value, nil}
			for _, h := range m.Headers {
				r.headers = append(r.headers, header{h.Key, h.Value})
			}
			out = append(out, r)
			if m.Offset == p.end-1 {
				p.AsyncClose()
				return out, nil
			}
		}
	}
}

func (s *ibm) client() (sarama.Client, error) {
	return sarama.NewClient([]string{s.bootstrap}, settings())
}

func (s *ibm) read(topics []string) ([]record, error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	k, err := sarama.NewConsumerFromClient(c)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	var parts []part // all at once: each takes a while to begin
	for _, t := range topics {
		more, err := open(c, k, t)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more...)
	}
	var out []record
	for _, p := range parts {
		more, err := p.read()
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func (s *ibm) times(topic string, timestamps []int64) ([]string, error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	partitions, err := c.Partitions(topic)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, t := range timestamps {
		for _, p := range partitions {
			o, err := c.GetOffset(topic, p, t)
			if err != nil {
				return nil, err
			}
			out = append(out, fmt.Sprintf("%d %d %d", p, t, o))
		}
	}
	return out, nil
}

func describe(a sarama.ClusterAdmin, topic string) ([]string, error) {
	topics, err := a.DescribeTopics([]string{topic})
	if err != nil {
		return nil, err
	}
	parts := topics[0].Partitions
	sort.Slice(parts, func(a, b int) bool { return parts[a].ID < parts[b].ID })
	var out []string
	for _, p := range parts {
		out = append(out, described(p.ID, p.Leader, p.Replicas, p.Isr))
	}
	return out, nil
}

func configs(a sarama.ClusterAdmin, topic string) ([]string, error) {
	entries, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: shown})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range shown {
		for _, e := range entries {
			if e.Name == name {
				out = append(out, name+"="+e.Value)
			}
		}
	}
	return out, nil
}

func (s *ibm) admin(topic, thing string) ([]string, error) {
	text := func(s string) *string { return &s }
	a, err := sarama.NewClusterAdmin([]string{s.bootstrap}, settings())
	if err != nil {
		return nil, err
	}
	defer a.Close()
	switch thing {
	case "create":
		detail := &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1,
			ConfigEntries: map[string]*string{"retention.ms": text(first), "segment.bytes": text(size)}}
		if err := a.CreateTopic(topic, detail, false); err != nil {
			return nil, err
		}
		var code *sarama.TopicError
		if err := a.CreateTopic(topic, detail, false); !errors.As(err, &code) {
			return nil, fmt.Errorf("created twice: %w", err)
		}
		return []string{fmt.Sprintf("create again: error %d", code.Err)}, nil
	case "describe":
		return describe(a, topic)
	case "partitions":
		if err := a.CreatePartitions(topic, 3, nil, false); err != nil {
			return nil, err
		}
		return describe(a, topic)
	case "configs":
		before, err := configs(a, topic)
		if err != nil {
			return nil, err
		}
		err = a.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
			"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: text(second)}}, false)
		if err != nil {
			return nil, err
		}
		after, err := configs(a, topic)
		return append(before, after...), err
	case "cluster":
		brokers, controller, err := a.DescribeCluster()
		if err != nil {
			return nil, err
		}
		out := []string{fmt.Sprintf("controller %d", controller)}
		for _, b := range brokers {
			out = append(out, fmt.Sprintf("node %d %s", b.ID(), b.Addr()))
		}
		return out, nil
	case "delete":
		if err := a.DeleteTopic(topic); err != nil {
			return nil, err
		}
		left, err := a.ListTopics()
		if _, there := left[topic]; there {
			return []string{"listed"}, err
		}
		return []string{"gone"}, err
	}
	return nil, fmt.Errorf("nothing of that name")
}

func (s *ibm) trim(topic string, to int64) ([]string, error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	a, err := sarama.NewClusterAdminFromClient(c)
	if err != nil {
		return nil, err
	}
	defer a.Close() // the client too
	if err := a.DeleteRecords(topic, map[int32]int64{0: to}); err != nil {
		return nil, err
	}
	start, err := c.GetOffset(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	end, err := c.GetOffset(topic, 0, sarama.OffsetNewest)
	// the low watermark of the answer is not given to the caller
	return []string{fmt.Sprintf("low %d", to), fmt.Sprintf("start %d", start), fmt.Sprintf("end %d", end)}, err
}
