// client franz|sarama BOOTSTRAP: two clients in Go; tasks on stdin: see ../README.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
)

type header struct {
	name, value []byte // nil: null
}

type record struct {
	topic      string
	partition  int32
	offset     int64
	timestamp  int64
	key, value []byte
	headers    []header
}

// A client does what the tasks ask for; what it returns are the lines of the task's file.
type client interface {
	send(topic, codec string, records []record) ([]string, error)
	read(topics []string) ([]record, error)
	times(topic string, timestamps []int64) ([]string, error)
	admin(topic, thing string) ([]string, error)
	trim(topic string, to int64) ([]string, error)
}

const (
	first  = "12345678" // retention.ms of a new topic
	second = "23456789"
	size   = "1048576"
)

var shown = []string{"retention.ms", "segment.bytes", "max.message.bytes"}

func text(b []byte) string {
	if b == nil {
		return "-"
	}
	if len(b) == 0 {
		return "."
	}
	return base64.StdEncoding.EncodeToString(b)
}

func data(field string) []byte {
	switch field {
	case "-":
		return nil
	case ".":
		return []byte{}
	}
	b, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		panic(err)
	}
	return b
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func lines(name string) []string {
	b, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func parse(topic, line string) record {
	f := strings.Split(line, " ")
	r := record{topic: topic, partition: int32(number(f[0])), timestamp: number(f[1]), key: data(f[2]), value: data(f[3])}
	if f[4] != "." {
		for _, h := range strings.Split(f[4], ";") {
			name, value, _ := strings.Cut(h, ":")
			r.headers = append(r.headers, header{data(name), data(value)})
		}
	}
	return r
}

func (r record) String() string {
	var h []string
	for _, x := range r.headers {
		h = append(h, text(x.name)+":"+text(x.value))
	}
	if h == nil {
		h = []string{"."}
	}
	return fmt.Sprintf("%s %d %d %d %s %s %s", r.topic, r.partition, r.offset, r.timestamp, text(r.key), text(r.value),
		strings.Join(h, ";"))
}

func described(partition, leader int32, replicas, isr []int32) string {
	return fmt.Sprintf("%d leader %d replicas %d isr %d", partition, leader, replicas, isr)
}

func do(c client, w []string) (err error) {
	var out []string
	switch w[0] {
	case "send":
		var records []record
		for _, l := range lines(w[3]) {
			records = append(records, parse(w[1], l))
		}
		out, err = c.send(w[1], w[2], records)
		w = w[3:]
	case "read":
		var records []record
		records, err = c.read(w[2:])
		for _, r := range records {
			out = append(out, r.String())
		}
	case "times":
		var timestamps []int64
		for _, t := range w[3:] {
			timestamps = append(timestamps, number(t))
		}
		out, err = c.times(w[2], timestamps)
	case "admin":
		for _, thing := range w[3:] {
			more, e := c.admin(w[2], thing)
			if e != nil {
				return fmt.Errorf("%s: %w", thing, e)
			}
			out = append(out, more...)
		}
	case "trim":
		out, err = c.trim(w[2], number(w[3]))
	default:
		err = fmt.Errorf("no task of that name")
	}
	if err != nil {
		return err
	}
	return os.WriteFile(w[1], []byte(strings.Join(out, "\n")+"\n"), 0o666)
}

func main() {
	c := map[string]func(string) client{"franz": newFranz, "sarama": newSarama}[os.Args[1]](os.Args[2])
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if err := do(c, strings.Split(in.Text(), " ")); err != nil {
			fmt.Printf("not ok %s: %v\n", in.Text(), err)
		} else {
			fmt.Printf("ok %s\n", in.Text())
		}
	}
}
